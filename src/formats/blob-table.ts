import type { BlobNumbers } from '../content/contracts.ts';
import { mapped } from '../io/repeatable.ts';
import { digestHex, type Digest } from '../oci/digest.ts';
import { DigestNumbers } from '../oci/digest-numbers.ts';
import type { Location } from '../source/backup.ts';

/** One digest that a backup holds or refers to. */
export interface StoredBlob {
  readonly digest: Digest;
  /** undefined where only links name it. */
  readonly location: Location | undefined;
  /** Its place in the order of the medium; -1 where it is not there. */
  readonly rank: number;
}

/** Where blobs lie, and their numbers. */
export type PlacedBlobs = Pick<BlobTable, 'get' | 'runs' | keyof BlobNumbers>;

const absent = -1;

/**
 * Every digest of a backup with its place. A million blobs are arrays of numbers here: an object for each and another
 * for its place would take four times the room.
 */
export class BlobTable implements BlobNumbers {
  private readonly digests = new DigestNumbers();
  /** Of a file that is called by its digest: its form of names, negative. */
  private starts = new Float64Array(16);
  /** -1 where the blob is not there. */
  private sizes = new Float64Array(16).fill(absent);
  private ranks = new Int32Array(16).fill(absent);
  /** Places of which more must be known than where they begin and end, or which file they are. */
  private readonly others: (Location | undefined)[] = [];
  private fileNames: FileNames | undefined;
  /** Whether any has had holes: nearly always none. */
  private isSparse = false;

  get size(): number {
    return this.digests.size;
  }

  find(digest: Digest): number {
    return this.digests.find(digest);
  }

  bytes(number: number): number {
    return this.sizes[number] ?? absent;
  }

  /** The number of a digest, which it keeps. */
  numberOf(digest: Digest): number {
    return this.kept(this.digests.numberOf(digest));
  }

  /** The number of the sha256 digest whose 64 hexadecimal digits stand at `at`, or -1. */
  numberAt(bytes: Uint8Array, at: number): number {
    return this.kept(this.digests.numberAt(bytes, at));
  }

  /** The number of the sha256 digest whose 64 hexadecimal digits stand at `at` in a path, or -1. */
  numberIn(path: string, at: number): number {
    return this.kept(this.digests.numberIn(path, at));
  }

  digest(number: number): Digest {
    return this.digests.digest(number);
  }

  /** @returns undefined where nothing names the digest */
  get(digest: Digest): StoredBlob | undefined {
    const number = this.digests.find(digest);
    if (number < 0) return undefined;
    return { digest, location: this.location(number), rank: this.ranks[number] ?? absent };
  }

  /** Where the bytes of a blob with holes are; undefined where it has none. */
  runs(number: number): Location['runs'] {
    return this.isSparse ? this.others[number]?.runs : undefined;
  }

  location(number: number): Location | undefined {
    const size = this.sizes[number] ?? absent;
    if (size === absent) return undefined;
    const start = this.starts[number] ?? 0;
    if (start < 0) return { size, start: 0, file: this.fileNames?.path(-start, digestHex(this.digest(number))) ?? '' };
    return this.others[number] ?? { size, start };
  }

  place(number: number, location: Location): void {
    const form = this.formOf(number, location);
    this.sizes[number] = location.size;
    this.starts[number] = form > 0 ? -form : location.start;
    if (location.runs !== undefined) this.isSparse = true;
    if (form === 0)
      for (const name in location)
        if (name !== 'size' && name !== 'start') return void (this.others[number] = location);
    if (this.others[number] !== undefined) this.others[number] = undefined;
  }

  /** A digest that is not there any more keeps its number. */
  displace(number: number): void {
    this.sizes[number] = absent;
    if (this.others[number] !== undefined) this.others[number] = undefined;
  }

  /** What is there, in the order of its numbers. */
  *[Symbol.iterator](): Generator<readonly [Digest, Location]> {
    for (let number = 0; number < this.size; number++) {
      const location = this.location(number);
      if (location !== undefined) yield [this.digest(number), location];
    }
  }

  /**
   * Ranks what is there by its place on the medium.
   * @param leftOut digests that share the bytes of another one
   * @returns all others in that order, as often as they are gone through
   */
  rank(leftOut: Iterable<Digest> = []): Iterable<Digest> {
    const left = new Set([...leftOut].map((digest) => this.find(digest)));
    const sourceOf = (number: number): number => this.others[number]?.source ?? 0;
    const startOf = (number: number): number => Math.max(0, this.starts[number] as number);
    const placed = new Int32Array(this.size);
    let count = 0;
    for (let number = 0; number < this.size; number++)
      if (this.sizes[number] !== absent && !left.has(number)) placed[count++] = number;
    const compare = (one: number, other: number): number =>
      sourceOf(one) - sourceOf(other) || startOf(one) - startOf(other);
    const ordered = placed.slice(0, count);
    // What comes from a folder lies nowhere in particular, and an archive's blobs are mostly numbered as they lie.
    if (ordered.some((number, at) => at > 0 && compare(ordered[at - 1] as number, number) > 0)) ordered.sort(compare);
    for (const [rank, number] of ordered.entries()) this.ranks[number] = rank;
    return mapped(ordered, (number) => this.digest(number));
  }

  /** Gives a digest the place and rank of another one, whose bytes are its own. */
  share(alias: Digest, target: Digest): void {
    const number = this.numberOf(alias);
    const source = this.digests.find(target);
    const location = this.location(source);
    if (location !== undefined) this.place(number, location);
    this.ranks[number] = this.ranks[source] ?? absent;
  }

  /** @returns 0 where more must be known of a place than its file and size */
  private formOf(number: number, location: Location): number {
    if (location.file === undefined || location.start !== 0) return 0;
    for (const name in location) if (name !== 'size' && name !== 'start' && name !== 'file') return 0;
    return (this.fileNames ??= new FileNames()).formOf(location.file, digestHex(this.digest(number)));
  }

  private kept(number: number): number {
    if (number >= this.sizes.length) {
      const length = Math.ceil((this.sizes.length * 3) / 2);
      this.starts = grown(this.starts, new Float64Array(length));
      this.sizes = grown(this.sizes, new Float64Array(length).fill(absent));
      this.ranks = grown(this.ranks, new Int32Array(length).fill(absent));
    }
    return number;
  }
}

/** A backup's storage has 256 of them, and a layout one; of a tree of images each has its own. */
const mostForms = 1024;

/** Names of files that are called by their digests: as texts, half a million paths take a hundred megabytes. */
class FileNames {
  private readonly forms: { readonly before: string; readonly behind: string }[] = [];
  private readonly numbers = new Map<string, number>();
  private last = 0;

  /** @returns the number of its form, from 1 on; 0 where it has none */
  formOf(path: string, hex: string): number {
    const at = path.lastIndexOf(hex);
    if (at < 0) return 0;
    const last = this.forms[this.last - 1];
    if (last !== undefined && at === last.before.length && path === this.path(this.last, hex)) return this.last;
    const form = { before: path.slice(0, at), behind: path.slice(at + hex.length) };
    const key = `${form.before}\n${form.behind}`;
    const known = this.numbers.get(key) ?? (this.forms.length < mostForms ? this.forms.push(form) : 0);
    if (known > 0) this.numbers.set(key, known);
    return (this.last = known);
  }

  path(form: number, hex: string): string {
    const { before = '', behind = '' } = this.forms[form - 1] ?? {};
    return before + hex + behind;
  }
}

function grown<Numbers extends Float64Array | Int32Array>(old: Numbers, longer: Numbers): Numbers {
  longer.set(old);
  return longer;
}
