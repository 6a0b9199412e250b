/** Just enough of DER to write a certificate. @see ITU-T X.690 */
const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** One value with its tag and length. */
export function tagged(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

/** Values in order. */
export const sequence = (...items: readonly Uint8Array[]): Buffer => tagged(tags.sequence, ...items);
/** Values whose order means nothing; here always one. */
export const set = (...items: readonly Uint8Array[]): Buffer => tagged(tags.set, ...items);
/** Bytes. */
export const octetString = (bytes: Uint8Array): Buffer => tagged(tags.octetString, bytes);
/** A text. */
export const utf8String = (text: string): Buffer => tagged(tags.utf8String, Buffer.from(text));
/** True or false. */
export const boolean = (value: boolean): Buffer => tagged(tags.boolean, Buffer.from([value ? 0xff : 0]));

/** @param unused bits at the end that do not count */
export const bitString = (bytes: Uint8Array, unused = 0): Buffer =>
  tagged(tags.bitString, Buffer.from([unused]), bytes);

/** A positive integer, big-endian. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const significant = first < 0 ? Buffer.from([0]) : bytes.subarray(first);
  // A leading one would make it negative.
  const isHigh = ((significant[0] ?? 0) & 0x80) !== 0;
  return tagged(tags.integer, Buffer.from(isHigh ? [0] : []), significant);
}

/** `2.5.29.17` */
export function objectIdentifier(text: string): Buffer {
  const [first = 0, second = 0, ...others] = text.split('.').map(Number);
  return tagged(tags.objectIdentifier, Buffer.from([first * 40 + second, ...others.flatMap(base128)]));
}

/** A time of a certificate: with two digits of the year before 2050, with four from then on. @see RFC 5280, 4.1.2.5 */
export function time(date: Date): Buffer {
  const text = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? tagged(tags.utcTime, Buffer.from(text.slice(2)))
    : tagged(tags.generalizedTime, Buffer.from(text));
}

function base128(value: number): number[] {
  const septets = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) septets.unshift((rest & 0x7f) | 0x80);
  return septets;
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}
