/**
 * One 512-byte header block of a tar archive.
 * @see POSIX pax "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"
 */
export const blockBytes = 512;

/** The type flags that regtar tells apart. */
export const typeFlags = {
  fileOld: 0,
  file: 48 /* 0 */,
  hardlink: 49,
  symlink: 50,
  characterDevice: 51,
  blockDevice: 52,
  directory: 53,
  fifo: 54,
  contiguous: 55,
  longLink: 75 /* K */,
  longName: 76 /* L */,
  sparse: 83 /* S */,
  paxGlobal: 103 /* g */,
  pax: 120 /* x */,
  solarisPax: 88 /* X */,
} as const;

/** Whole blocks that a body occupies, in bytes. Multiplication, since bitwise operators wrap at 2 GiB. */
export function paddedSize(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

/** The type flag: one byte. */
export function headerTypeFlag(buffer: Buffer, at: number): number {
  return buffer[at + 156] ?? 0;
}

/** @returns the size field in bytes, or undefined when it is neither octal nor a safe, non-negative base-256 number */
export function headerSize(buffer: Buffer, at: number): number | undefined {
  return parseNumber(buffer, at + 124, 12);
}

/** @returns seconds since 1970; 0 where the field holds none */
export function headerModified(buffer: Buffer, at: number): number {
  return parseNumber(buffer, at + 136, 12) ?? 0;
}

/** The name as the header alone gives it: ustar archives put its beginning into `prefix`. */
export function headerName(buffer: Buffer, at: number): string {
  const name = readText(buffer, at, 100);
  // GNU's magic is "ustar  \0": there, offset 345 holds access times, no prefix.
  const isPosix = buffer[at + 257] === 117 && buffer[at + 262] === 0;
  if (!isPosix || buffer[at + 345] === 0) return name;
  return `${readText(buffer, at + 345, 155)}/${name}`;
}

/** Where a link leads, in the header's own field. */
export function headerLinkName(buffer: Buffer, at: number): string {
  return readText(buffer, at + 157, 100);
}

/** Text up to the first NUL, or the whole field. Bytes that are not UTF-8 become U+FFFD. */
function readText(buffer: Buffer, start: number, length: number): string {
  const nul = buffer.indexOf(0, start);
  const end = nul < 0 || nul > start + length ? start + length : nul;
  return buffer.toString('utf8', start, end);
}

/**
 * @param words the same memory as the text, in 32-bit words, of which four bytes are looked at together
 * @param start a multiple of 4
 * @returns where the text ends: at its first NUL, or after `length` bytes
 */
export function textEnd(buffer: Buffer, words: Int32Array, start: number, length: number): number {
  const end = start + length;
  let at = start;
  // A byte of a word is zero where taking one from it borrows and it had no high bit itself.
  for (
    let word = words[at >>> 2] as number;
    at + 4 <= end && ((word - 0x01010101) & ~word & 0x80808080) === 0;
    word = words[at >>> 2] as number
  )
    at += 4;
  while (at < end && buffer[at] !== 0) at++;
  return at;
}

/**
 * Numbers are octal text, or base-256 when the first byte's high bit is set.
 * @see GNU tar manual, "Extensions to Basic Tar"
 */
export function parseNumber(buffer: Buffer, start: number, length: number): number | undefined {
  const first = buffer[start] ?? 0;
  if (first >= 0x80) return parseBase256(buffer, start, length, first);
  let value = 0;
  let digits = 0;
  for (let index = start; index < start + length; index++) {
    const byte = buffer[index] ?? 0;
    if (byte >= 48 && byte <= 55) {
      value = value * 8 + byte - 48;
      digits++;
    } else if (byte === 32 && digits === 0) continue;
    else if (byte === 0 || byte === 32) break;
    else return undefined;
  }
  return value;
}

function parseBase256(buffer: Buffer, start: number, length: number, first: number): number | undefined {
  // 0xff… is a negative number, which no size and no useful time is.
  if (first !== 0x80) return undefined;
  let value = 0;
  for (let index = start + 1; index < start + length; index++) {
    value = value * 256 + (buffer[index] ?? 0);
    if (value > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return value;
}

/** Two of these end an archive. @param at a multiple of 512 */
export function isZeroBlock(words: Int32Array, at: number): boolean {
  const start = at / 4;
  for (let index = start; index < start + blockBytes / 4; index++) if (words[index] !== 0) return false;
  return true;
}

/**
 * Whether the block's checksum is right, counted unsigned as POSIX says or signed as some old writers did.
 * @param words the same memory as `buffer`, in 32-bit words: four bytes are added at a time, which halves the cost of a
 * scan
 */
export function isHeaderValid(buffer: Buffer, words: Int32Array, at: number): boolean {
  const expected = parseNumber(buffer, at + 148, 8);
  if (expected === undefined) return false;
  // Sums of 16 bits side by side: 256 bytes of 255 each just fit. `| 0` keeps the additions free of overflow checks.
  let even = 0;
  let odd = 0;
  const start = at / 4;
  for (let index = start; index < start + blockBytes / 4; index += 4) {
    const first = words[index] as number;
    const second = words[index + 1] as number;
    const third = words[index + 2] as number;
    const fourth = words[index + 3] as number;
    // Half of a header is zeros.
    if ((first | second | third | fourth) === 0) continue;
    even = (even + (first & 0x00ff00ff) + (second & 0x00ff00ff) + (third & 0x00ff00ff) + (fourth & 0x00ff00ff)) | 0;
    odd =
      (odd +
        ((first >>> 8) & 0x00ff00ff) +
        ((second >>> 8) & 0x00ff00ff) +
        ((third >>> 8) & 0x00ff00ff) +
        ((fourth >>> 8) & 0x00ff00ff)) |
      0;
  }
  let sum = (even & 0xffff) + (even >>> 16) + (odd & 0xffff) + (odd >>> 16);
  for (let index = at + 148; index < at + 156; index++) sum += 32 - (buffer[index] ?? 0);
  return sum === expected || signedSum(buffer, at) === expected;
}

function signedSum(buffer: Buffer, at: number): number {
  let sum = 8 * 32;
  for (let index = at; index < at + blockBytes; index++) {
    if (index < at + 148 || index >= at + 156) sum += buffer.readInt8(index);
  }
  return sum;
}

/**
 * Whether two headers have one name and kind. Those of GNU's long names and of pax records stand for others, and are
 * like none.
 */
export function isSameMember(left: Uint8Array, right: Uint8Array): boolean {
  const typeFlag = left[156] ?? 0;
  if (typeFlag !== typeFlags.file && typeFlag !== typeFlags.directory) return false;
  const same = (from: number, to: number): boolean =>
    Buffer.compare(left.subarray(from, to), right.subarray(from, to)) === 0;
  return typeFlag === right[156] && same(0, 100) && same(345, 500);
}
