import type { Digest } from '../oci/digest.ts';
import { compareCodePoints } from '../oci/reference.ts';
import type { BlobNumbers } from './contracts.ts';

/** A blob or manifest with who needs it. */
export interface Reached {
  readonly digest: Digest;
  /** Bytes as stored. */
  readonly size: number;
  readonly repositories: number;
  /** Number of the first image that needs it, as `add` was told. */
  readonly image: number;
}

const noRepository = -1;

/**
 * What images reach: each blob and manifest once, with its size and how many repositories need it. Arrays of numbers,
 * because a summary counts a million of them.
 */
export class ReachTable {
  private readonly numbers: BlobNumbers;
  /** By number of the blob, as all that follow; 0 for what is not needed. */
  private repositories = new Int32Array(0);
  private lastRepository = new Int32Array(0);
  private images = new Int32Array(0);
  /** By number of the repository: everything that it needs. */
  private readonly bytesOf: number[] = [];

  /** @param numbers of the store */
  constructor(numbers: BlobNumbers) {
    this.numbers = numbers;
  }

  has(digest: Digest): boolean {
    return (this.repositories[this.numbers.find(digest)] ?? 0) > 0;
  }

  /**
   * A digest that is not in the store has no bytes, and is passed over.
   * @param repository its number; those of one repository are added one after the other
   */
  add(digest: Digest, repository: number, image: number): void {
    const number = this.numbers.find(digest);
    if (number < 0) return;
    if (number >= this.repositories.length) this.grow(number);
    const known = this.repositories[number] ?? 0;
    if (known === 0) this.images[number] = image;
    else if (this.lastRepository[number] === repository) return;
    this.lastRepository[number] = repository;
    this.repositories[number] = known + 1;
    this.bytesOf[repository] = (this.bytesOf[repository] ?? 0) + this.size(number);
  }

  /** Bytes of everything, each digest once. */
  total(): number {
    let total = 0;
    for (const [number, count] of this.repositories.entries()) if (count > 0) total += this.size(number);
    return total;
  }

  /** Bytes of everything that a repository needs. */
  bytes(repository: number): number {
    return this.bytesOf[repository] ?? 0;
  }

  /** By number of the repository: bytes that no other one needs. */
  ownBytes(): readonly number[] {
    const own: number[] = [];
    for (const [number, count] of this.repositories.entries()) {
      const repository = this.lastRepository[number] ?? noRepository;
      if (count === 1) own[repository] = (own[repository] ?? 0) + this.size(number);
    }
    return own;
  }

  /** The biggest ones, biggest first, without sorting all of them. */
  biggest(most: number): readonly Reached[] {
    const compare = (left: number, right: number): number =>
      this.size(right) - this.size(left) || compareCodePoints(this.numbers.digest(left), this.numbers.digest(right));
    const kept: number[] = [];
    for (const [number, count] of this.repositories.entries()) {
      if (count === 0) continue;
      const last = kept[most - 1];
      if (last !== undefined && compare(last, number) <= 0) continue;
      if (last !== undefined) kept.pop();
      kept.push(number);
      kept.sort(compare);
    }
    return kept.map((number) => ({
      digest: this.numbers.digest(number),
      size: this.size(number),
      repositories: this.repositories[number] ?? 0,
      image: this.images[number] ?? 0,
    }));
  }

  /** Digests that only links name have no bytes. */
  private size(number: number): number {
    return Math.max(0, this.numbers.bytes(number));
  }

  private grow(number: number): void {
    const length = Math.max(this.numbers.size, Math.ceil((number * 3) / 2) + 1);
    const grown = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const longer = new Int32Array(length);
      longer.set(old);
      return longer;
    };
    this.repositories = grown(this.repositories);
    this.lastRepository = grown(this.lastRepository);
    this.images = grown(this.images);
  }
}
