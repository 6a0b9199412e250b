import { hash, randomBytes } from 'node:crypto';

const wordsPerKey = 3;
const firstSlots = 1024;
/** With linear probing a fuller table takes long to say no. */
const mostFilled = 0.75;

/**
 * The paths of an archive, of which there may be millions: as strings they take 200 bytes each, as hashes 16. Twelve
 * bytes of a SHA-256 stand for a path, with a salt of this process, so that no two paths can be made to meet.
 */
export class PathSet {
  private readonly salt = randomBytes(16).toString('latin1');
  /** Keys in their slots; all zeros is free. */
  private words = new Int32Array(firstSlots * wordsPerKey);
  private used = 0;
  /** Few: what of a broken image was taken back. */
  private readonly removed = new Set<string>();

  has(path: string): boolean {
    const key = this.keyOf(path);
    return this.words[this.slotOf(key)] !== 0 && !this.removed.has(path);
  }

  /** @returns whether it was not there */
  add(path: string): boolean {
    const key = this.keyOf(path);
    const slot = this.slotOf(key);
    if (this.words[slot] !== 0) return this.removed.delete(path);
    this.words.set(key, slot);
    this.used++;
    if (this.used * wordsPerKey > this.words.length * mostFilled) this.grow();
    return true;
  }

  delete(path: string): void {
    if (this.has(path)) this.removed.add(path);
  }

  private keyOf(path: string): Int32Array {
    const bytes = hash('sha256', this.salt + path, 'buffer');
    const key = new Int32Array(wordsPerKey);
    // A free slot begins with 0, so no key does.
    key[0] = bytes.readInt32LE(0) || 1;
    for (let word = 1; word < wordsPerKey; word++) key[word] = bytes.readInt32LE(word * 4);
    return key;
  }

  /** @returns where the key stands, or the free place where it belongs */
  private slotOf(key: Int32Array): number {
    const { words } = this;
    const mask = words.length / wordsPerKey - 1;
    for (let slot = (key[1] as number) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * wordsPerKey;
      if (words[at] === 0 || key.every((word, index) => words[at + index] === word)) return at;
    }
  }

  private grow(): void {
    const old = this.words;
    this.words = new Int32Array(old.length * 2);
    for (let at = 0; at < old.length; at += wordsPerKey) {
      if (old[at] === 0) continue;
      const key = old.subarray(at, at + wordsPerKey);
      this.words.set(key, this.slotOf(key));
    }
  }
}
