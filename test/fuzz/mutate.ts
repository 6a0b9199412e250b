/** Numbers that are the same each time for the same seed. */
export interface Random {
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number;
  pick<Item>(items: readonly Item[]): Item;
}

/** @see Steele, Lea, Flood: SplitMix; 32 bits are enough to choose bytes */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  const below = (limit: number): number => (limit <= 1 ? 0 : next() % limit);
  return { below, pick: (items) => items[below(items.length)] as (typeof items)[number] };
}

export interface Mutation {
  readonly name: string;
  /** Whether regtar must notice: what was there is still told to be missing, or is delivered. Members that vanish whole leave no trace in a tar. */
  readonly isNoticed: boolean;
  /** Changes `bytes` in place, or gives others. */
  readonly apply: (bytes: Buffer, random: Random) => Buffer;
}

const block = 512;
const blocksOf = (bytes: Buffer): number => Math.floor(bytes.length / block);

/** Offsets of blocks that are headers, told by their magic: the places where a change hurts most. */
function headers(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + block <= bytes.length; at += block)
    if (bytes.toString('latin1', at + 257, at + 262) === 'ustar') found.push(at);
  return found;
}

function setChecksum(bytes: Buffer, at: number): void {
  bytes.fill(32, at + 148, at + 156);
  let sum = 0;
  for (let index = at; index < at + block; index++) sum += bytes[index] ?? 0;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
}

/** Changes a header and makes its checksum right again: what an attacker writes, and no accident. */
function forge(bytes: Buffer, random: Random, change: (at: number) => void): Buffer {
  const found = headers(bytes);
  if (found.length === 0) return bytes;
  const at = random.pick(found);
  change(at);
  setChecksum(bytes, at);
  return bytes;
}

export const mutations: readonly Mutation[] = [
  { name: 'nothing', isNoticed: true, apply: (bytes) => bytes },
  {
    name: 'bits',
    isNoticed: true,
    apply(bytes, random) {
      for (let count = 1 + random.below(8); count > 0; count--) {
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      }
      return bytes;
    },
  },
  {
    name: 'bits of headers',
    isNoticed: true,
    apply(bytes, random) {
      const found = headers(bytes);
      for (let count = 1 + random.below(4); count > 0 && found.length > 0; count--) {
        const at = random.pick(found) + random.below(block);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      }
      return bytes;
    },
  },
  { name: 'a cut', isNoticed: true, apply: (bytes, random) => bytes.subarray(0, random.below(bytes.length)) },
  {
    name: 'zeros',
    isNoticed: true,
    apply(bytes, random) {
      const from = random.below(bytes.length);
      bytes.fill(0, from, Math.min(bytes.length, from + 1 + random.below(20_000)));
      return bytes;
    },
  },
  {
    name: 'noise',
    isNoticed: true,
    apply(bytes, random) {
      const from = random.below(bytes.length);
      for (let at = from, end = Math.min(bytes.length, from + random.below(5000)); at < end; at++)
        bytes[at] = random.below(256);
      return bytes;
    },
  },
  {
    name: 'blocks that are gone',
    isNoticed: false,
    apply(bytes, random) {
      const from = random.below(blocksOf(bytes)) * block;
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + (1 + random.below(12)) * block)]);
    },
  },
  {
    name: 'bytes that are gone',
    isNoticed: false,
    apply(bytes, random) {
      const from = random.below(bytes.length);
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(700))]);
    },
  },
  {
    name: 'blocks that come again elsewhere',
    isNoticed: false,
    apply(bytes, random) {
      const from = random.below(blocksOf(bytes)) * block;
      const piece = Buffer.from(bytes.subarray(from, from + (1 + random.below(12)) * block));
      const to = random.below(blocksOf(bytes)) * block;
      if (random.below(2) === 0) piece.copy(bytes, to);
      else return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]);
      return bytes;
    },
  },
  {
    name: 'rubbish in front',
    isNoticed: false,
    apply: (bytes, random) =>
      Buffer.concat([Buffer.from(Array.from({ length: 1 + random.below(3000) }, () => random.below(256))), bytes]),
  },
  {
    name: 'another type',
    isNoticed: false,
    apply: (bytes, random) =>
      forge(
        bytes,
        random,
        (at) =>
          void bytes.write(
            random.pick(['0', '1', '2', '5', 'L', 'K', 'x', 'g', 'S', 'V', '7', '\0', 'X', 'Z']),
            at + 156,
            'latin1',
          ),
      ),
  },
  {
    name: 'another size',
    isNoticed: false,
    apply: (bytes, random) =>
      forge(bytes, random, (at) => {
        const size = random.pick([
          '00000000000',
          '00000000001',
          '00000001000',
          '77777777777',
          '00000012345',
          '           ',
          '0000000000z',
          '\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff',
          '\x80\x1f\xff\xff\xff\xff\xff\xff\xff\xff\xff',
          '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
        ]);
        bytes.write(size.padEnd(12, '\0'), at + 124, 'latin1');
      }),
  },
  {
    name: 'another name or target',
    isNoticed: false,
    apply: (bytes, random) =>
      forge(bytes, random, (at) => {
        const text = random.pick([
          '../../etc/passwd',
          '/etc/passwd',
          'docker/registry/v2/repositories/a/_manifests/tags/../current/link',
          '',
          'x/'.repeat(50),
          '\x1b[31m',
          'docker/registry/v2/blobs/sha256/ab/data',
          '././@LongLink',
        ]);
        bytes.write(text.slice(0, 100).padEnd(100, '\0'), at + random.pick([0, 157]), 'latin1');
      }),
  },
  {
    name: 'other records',
    isNoticed: false,
    apply(bytes, random) {
      const found = headers(bytes).filter((at) => 'xgLK'.includes(String.fromCharCode(bytes[at + 156] ?? 0)));
      if (found.length === 0) return bytes;
      const text = random.pick([
        '99999 path=x\n',
        '6 a=b\n',
        '12 size=-1\n\n',
        '28 GNU.sparse.map=0,5,3,9,1\n',
        '24 GNU.sparse.major=1\n\n\n',
        '20 size=99999999999\n',
        '0 x=y\n',
        '13 linkpath=\n',
        '19 path=a\nb\x00c\x1b]0;\n',
      ]);
      bytes.write(text, random.pick(found) + block, 'latin1');
      return bytes;
    },
  },
];
