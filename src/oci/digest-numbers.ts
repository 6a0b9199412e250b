import { randomFillSync } from 'node:crypto';
import { sha256FromWords, type Digest } from './digest.ts';

const wordsPerKey = 8;
const hexPerWord = 8;
const sha256Length = 71;
const hexAt = 7;
/** 0 to 15 for the bytes of `0-9a-f`, -1 for all others. */
const nibbles = new Int8Array(256).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) nibbles[digit.charCodeAt(0)] = value;

/** The key that is looked for. One for all maps: nothing is awaited between filling and using it. */
const key = new Int32Array(wordsPerKey);

/** Names come from archives: with a hash that can be foreseen, all of them could be made to meet in one slot. */
const factors = new Int32Array(randomFillSync(new Uint8Array(wordsPerKey * 4)).buffer).map((factor) => factor | 1);

/** Code that looks at an image asks for the same few digests again and again: they are kept as text for a while. */
const keptTexts = 4096;

/**
 * Numbers digests from 0 on, in the order in which they come. A `Map` would hash 71 characters and compare them with
 * strings that lie scattered in memory; here a sha256 is eight numbers among others in one array, and a text only while
 * somebody looks at it. What belongs to a digest stands in arrays by its number.
 */
export class DigestNumbers {
  private count = 0;
  /** Small at first: a SOURCE may be thousands of layouts, with a few digests each. */
  private words = new Int32Array(16 * wordsPerKey);
  /** Number of an entry plus one, by hash; 0 is free. */
  private slots = new Int32Array(64);
  /** The upper bits of a hash are its good ones. */
  private shift = 32 - 6;
  /** Digests of other algorithms, which are rare, and their texts by number. */
  private readonly others = new Map<Digest, number>();
  private readonly otherTexts = new Map<number, Digest>();
  /** Texts, each at its number's remainder, and whose they are. */
  private readonly texts: Digest[] = [];
  private textNumbers: Int32Array | undefined;

  get size(): number {
    return this.count;
  }

  /** The digest with this number. */
  digest(number: number): Digest {
    this.textNumbers ??= new Int32Array(Math.min(keptTexts, this.words.length / wordsPerKey)).fill(-1);
    const place = number % this.textNumbers.length;
    if (this.textNumbers[place] === number) return this.texts[place] as Digest;
    const text = this.otherTexts.get(number) ?? sha256FromWords(this.words, number * wordsPerKey);
    this.textNumbers[place] = number;
    return (this.texts[place] = text);
  }

  /** @returns the digest's number, or -1 where it has none */
  find(digest: Digest): number {
    if (digest.length !== sha256Length) return this.others.get(digest) ?? -1;
    keyOfText(digest, hexAt);
    return this.findKey();
  }

  /** The digest's number; a new one where it has none. */
  numberOf(digest: Digest): number {
    const known = this.find(digest);
    if (known >= 0) return known;
    if (digest.length === sha256Length) return this.append();
    this.others.set(digest, this.count);
    this.otherTexts.set(this.count, digest);
    return this.count++;
  }

  /**
   * The same for the sha256 digest whose 64 hexadecimal digits stand at `at`: no string is made of one that is known.
   * @returns -1 when these are not 64 lower-case hexadecimal digits
   */
  numberAt(bytes: Uint8Array, at: number): number {
    if (!keyOfBytes(bytes, at)) return -1;
    const known = this.findKey();
    return known >= 0 ? known : this.append();
  }

  /** The same for the 64 hexadecimal digits that stand at `at` in a text, such as a path. */
  numberIn(text: string, at: number): number {
    if (!keyOfText(text, at)) return -1;
    const known = this.findKey();
    return known >= 0 ? known : this.append();
  }

  /** @returns the number of the entry with `key`, or -1 */
  private findKey(): number {
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

  /** Adds the digest of `key`, which is not there. */
  private append(): number {
    const number = this.count++;
    if ((number + 1) * wordsPerKey > this.words.length) {
      // By half, in whole keys: with millions of digests the spare room of a doubled array is as large as a small heap.
      const words = new Int32Array(Math.ceil((number * 3) / 2) * wordsPerKey);
      words.set(this.words);
      this.words = words;
      if (this.textNumbers !== undefined && this.textNumbers.length < keptTexts) this.textNumbers = undefined;
    }
    this.words.set(key, number * wordsPerKey);
    if (this.count * 2 > this.slots.length) this.rehash();
    else this.occupy(number);
    return number;
  }

  private occupy(entry: number): void {
    const mask = this.slots.length - 1;
    let slot = hashOf(this.words, entry * wordsPerKey) >>> this.shift;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = entry + 1;
  }

  private rehash(): void {
    this.slots = new Int32Array(this.slots.length * 2);
    this.shift--;
    for (let number = 0; number < this.count; number++) if (!this.otherTexts.has(number)) this.occupy(number);
  }
}

function hashOf(words: Int32Array, at: number): number {
  let hash = 0;
  for (let word = 0; word < wordsPerKey; word++)
    hash = (hash + Math.imul(words[at + word] as number, factors[word] as number)) | 0;
  return hash;
}

/** @returns whether 64 lower-case hexadecimal digits stand at `start` */
function keyOfText(text: string, start: number): boolean {
  let at = start;
  let wrong = 0;
  for (let word = 0; word < wordsPerKey; word++) {
    let value = 0;
    for (const end = at + hexPerWord; at < end; at++) {
      const nibble = nibbles[text.charCodeAt(at)] ?? -1;
      wrong |= nibble;
      value = (value << 4) | nibble;
    }
    key[word] = value;
  }
  return wrong >= 0;
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
