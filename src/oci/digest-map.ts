import { randomFillSync } from 'node:crypto';
import { sha256FromHexAt, type Digest } from './digest.ts';

const wordsPerKey = 8;
const hexPerWord = 8;
const sha256Length = 71;
const hexAt = 7;
/** 0 to 15 for the bytes of `0-9a-f`, -1 for all others. */
const nibbles = new Int8Array(256).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) nibbles[digit.charCodeAt(0)] = value;

/** The key that is looked for. One for all maps: nothing is awaited between filling and using it. */
const key = new Int32Array(wordsPerKey);

/** Names come from archives: with a hash that anybody can foresee, somebody could make all of them meet in one slot. */
const factors = new Int32Array(randomFillSync(new Uint8Array(wordsPerKey * 4)).buffer).map((factor) => factor | 1);

/**
 * A map by digest. A `Map` would hash 71 characters and compare them with strings that lie scattered in memory; here a sha256 is eight
 * numbers among others in one array.
 */
export class DigestMap<Value> {
  private readonly kept: Value[] = [];
  private words = new Int32Array(256 * wordsPerKey);
  /** Number of an entry plus one, by hash; 0 is free. */
  private slots = new Int32Array(1024);
  /** The upper bits of a hash are its good ones. */
  private shift = 32 - 10;
  /** Digests of other algorithms, which are rare. */
  private readonly others = new Map<Digest, Value>();

  get size(): number {
    return this.kept.length + this.others.size;
  }

  get(digest: Digest): Value | undefined {
    if (digest.length !== sha256Length) return this.others.get(digest);
    keyOfText(digest);
    const found = this.find();
    return found < 0 ? undefined : this.kept[found];
  }

  has(digest: Digest): boolean {
    if (digest.length !== sha256Length) return this.others.has(digest);
    keyOfText(digest);
    return this.find() >= 0;
  }

  /** The value of a digest; made and kept where there is none yet. */
  getOrMake(digest: Digest, make: (digest: Digest) => Value): Value {
    if (digest.length !== sha256Length) {
      let other = this.others.get(digest);
      if (other === undefined) this.others.set(digest, (other = make(digest)));
      return other;
    }
    keyOfText(digest);
    const found = this.find();
    return found >= 0 ? (this.kept[found] as Value) : this.append(digest, make(digest));
  }

  /**
   * The same for the sha256 digest whose 64 hexadecimal digits stand at `at`: no string is made of one that is known.
   * @returns undefined when these are not 64 lower-case hexadecimal digits
   */
  getOrMakeAt(bytes: Uint8Array, at: number, make: (digest: Digest) => Value): Value | undefined {
    if (!keyOfBytes(bytes, at)) return undefined;
    const found = this.find();
    if (found >= 0) return this.kept[found];
    const digest = sha256FromHexAt(bytes, at);
    return digest === undefined ? undefined : this.append(digest, make(digest));
  }

  /** In the order of their making. */
  *values(): Generator<Value> {
    yield* this.kept;
    yield* this.others.values();
  }

  /** @returns the number of the entry with `key`, or -1 */
  private find(): number {
    const { slots, words } = this;
    const mask = slots.length - 1;
    for (let slot = hashOf(key, 0) >>> this.shift; ; slot = (slot + 1) & mask) {
      const entry = (slots[slot] as number) - 1;
      if (entry < 0) return -1;
      const start = entry * wordsPerKey;
      let word = 0;
      while (word < wordsPerKey && words[start + word] === key[word]) word++;
      if (word === wordsPerKey) return entry;
    }
  }

  /** Adds an entry for `key`, which is not there. */
  private append(digest: Digest, value: Value): Value {
    const entry = this.kept.length;
    // What `make` did may have used the key.
    keyOfText(digest);
    if ((entry + 1) * wordsPerKey > this.words.length) {
      const words = new Int32Array(this.words.length * 2);
      words.set(this.words);
      this.words = words;
    }
    this.words.set(key, entry * wordsPerKey);
    this.kept.push(value);
    if (this.kept.length * 2 > this.slots.length) this.rehash();
    else this.occupy(entry);
    return value;
  }

  private occupy(entry: number): void {
    const mask = this.slots.length - 1;
    let slot = hashOf(this.words, entry * wordsPerKey) >>> this.shift;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = entry + 1;
  }

  private rehash(): void {
    this.slots = new Int32Array(this.slots.length * 4);
    this.shift -= 2;
    for (let entry = 0; entry < this.kept.length; entry++) this.occupy(entry);
  }
}

function hashOf(words: Int32Array, at: number): number {
  let hash = 0;
  for (let word = 0; word < wordsPerKey; word++)
    hash = (hash + Math.imul(words[at + word] as number, factors[word] as number)) | 0;
  return hash;
}

/** @param digest a sha256 digest, which a Digest of this length always is */
function keyOfText(digest: Digest): void {
  let at = hexAt;
  for (let word = 0; word < wordsPerKey; word++) {
    let value = 0;
    for (let end = at + hexPerWord; at < end; at++) value = (value << 4) | (nibbles[digest.charCodeAt(at)] as number);
    key[word] = value;
  }
}

function keyOfBytes(bytes: Uint8Array, start: number): boolean {
  let at = start;
  let wrong = 0;
  for (let word = 0; word < wordsPerKey; word++) {
    let value = 0;
    for (let end = at + hexPerWord; at < end; at++) {
      const nibble = nibbles[bytes[at] ?? 0] as number;
      wrong |= nibble;
      value = (value << 4) | nibble;
    }
    key[word] = value;
  }
  return wrong >= 0;
}
