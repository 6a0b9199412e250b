import type { Digest } from '../oci/digest.ts';
import { DigestNumbers } from '../oci/digest-numbers.ts';
import { compareCodePoints } from '../oci/reference.ts';

/** A blob or manifest with who needs it. */
export interface Reached {
  readonly digest: Digest;
  /** Bytes as stored. */
  readonly size: number;
  readonly repositories: number;
  /** Number of the first image that needs it, as `add` was told. */
  readonly image: number;
}

/**
 * What images reach: each blob and manifest once, with its size and how many repositories need it. Arrays of numbers,
 * because a summary counts a million of them.
 */
export class ReachTable {
  private readonly numbers = new DigestNumbers();
  private readonly sizes: number[] = [];
  private readonly repositories: number[] = [];
  private readonly lastRepository: number[] = [];
  private readonly images: number[] = [];
  /** By number of the repository: everything that it needs. */
  private readonly bytesOf: number[] = [];
  private readonly sizeOf: (digest: Digest) => number;

  /** @param sizeOf bytes as stored; asked once for each digest */
  constructor(sizeOf: (digest: Digest) => number) {
    this.sizeOf = sizeOf;
  }

  has(digest: Digest): boolean {
    return this.numbers.find(digest) >= 0;
  }

  /** @param repository its number; those of one repository are added one after the other */
  add(digest: Digest, repository: number, image: number): void {
    const number = this.numbers.numberOf(digest);
    if (number === this.sizes.length) {
      this.sizes.push(this.sizeOf(digest));
      this.repositories.push(0);
      this.lastRepository.push(-1);
      this.images.push(image);
    }
    if (this.lastRepository[number] === repository) return;
    this.lastRepository[number] = repository;
    this.repositories[number] = (this.repositories[number] ?? 0) + 1;
    this.bytesOf[repository] = (this.bytesOf[repository] ?? 0) + (this.sizes[number] ?? 0);
  }

  /** Bytes of everything, each digest once. */
  total(): number {
    let total = 0;
    for (const size of this.sizes) total += size;
    return total;
  }

  /** Bytes of everything that a repository needs. */
  bytes(repository: number): number {
    return this.bytesOf[repository] ?? 0;
  }

  /** By number of the repository: bytes that no other one needs. */
  ownBytes(): readonly number[] {
    const own: number[] = [];
    for (const [number, size] of this.sizes.entries()) {
      const repository = this.lastRepository[number] ?? 0;
      if (this.repositories[number] === 1) own[repository] = (own[repository] ?? 0) + size;
    }
    return own;
  }

  /** The biggest ones, biggest first, without sorting all of them. */
  biggest(count: number): readonly Reached[] {
    const compare = (left: number, right: number): number =>
      (this.sizes[right] ?? 0) - (this.sizes[left] ?? 0) ||
      compareCodePoints(this.numbers.digest(left), this.numbers.digest(right));
    const kept: number[] = [];
    for (let number = 0; number < this.sizes.length; number++) {
      const last = kept[count - 1];
      if (last !== undefined && compare(last, number) <= 0) continue;
      if (last !== undefined) kept.pop();
      kept.push(number);
      kept.sort(compare);
    }
    return kept.map((number) => ({
      digest: this.numbers.digest(number),
      size: this.sizes[number] ?? 0,
      repositories: this.repositories[number] ?? 0,
      image: this.images[number] ?? 0,
    }));
  }
}
