import { Buffer } from 'node:buffer';

/**
 * How a header is written: `gnu` as GNU tar's default (L and K records, base-256 numbers), `pax` (x records), `ustar` (prefix field, no
 * extension) or `v7` (no magic at all).
 */
export type TarDialect = 'gnu' | 'pax' | 'ustar' | 'v7';

/** Bytes where a name need not be UTF-8. */
export type Text = string | Uint8Array;

export interface HeaderFields {
  readonly path: Text;
  /** Type flag; `'0'` unless told. */
  readonly type?: string;
  /** What the size field says; 0 unless told. */
  readonly size?: number;
  readonly target?: Text;
  /** `gnu` unless told. */
  readonly dialect?: TarDialect;
  /** ustar's prefix field, which readers put before the path. */
  readonly prefix?: Text;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970. */
  readonly modified?: number;
  /** Base-256 for the size, though it would fit in octal; larger sizes than 8 GiB − 1 always are. */
  readonly base256?: boolean;
  /** Size field as raw bytes, at most 12: for fields that no writer would make. */
  readonly sizeField?: Text;
  /** `signed` sums bytes as signed chars, as some historic tars did; `wrong` is one off; `zero` leaves blanks. */
  readonly checksum?: 'right' | 'signed' | 'wrong' | 'blank';
  /** Called with the block before its checksum is made: for fields of a special kind. */
  readonly edit?: (block: Buffer) => void;
}

export interface MemberFields extends HeaderFields {
  /** Written and padded after the header. With a `size` of its own the header may lie about it. */
  readonly body?: Text;
  /** Records of a PAX `x` header before the member, beside those that its dialect needs. */
  readonly pax?: PaxRecords;
}

/** In writing order; `undefined` values are left out. Pairs where a key occurs twice. */
export type PaxRecords = Readonly<Record<string, Text>> | readonly (readonly [string, Text])[];

export const blockBytes = 512;
const largestOctalSize = 0o77777777777;
const defaultModified = 1_700_000_000;

/** One header block, exactly as told: nothing is added for names that do not fit, they are cut. */
export function header(fields: HeaderFields): Buffer {
  const { dialect = 'gnu', size = 0, checksum = 'right' } = fields;
  const block = Buffer.alloc(blockBytes);
  put(block, 0, 100, fields.path);
  putOctal(block, 100, 8, fields.mode ?? (fields.type === '5' ? 0o755 : 0o644));
  putNumber(block, 108, 8, fields.uid ?? 0);
  putNumber(block, 116, 8, fields.gid ?? 0);
  if (fields.sizeField !== undefined) put(block, 124, 12, fields.sizeField);
  else if (fields.base256 === true) putBase256(block, 124, 12, size);
  else putNumber(block, 124, 12, size);
  putNumber(block, 136, 12, fields.modified ?? defaultModified);
  put(block, 156, 1, fields.type ?? '0');
  put(block, 157, 100, fields.target ?? '');
  if (dialect === 'gnu') put(block, 257, 8, 'ustar  \0');
  if (dialect === 'ustar' || dialect === 'pax') put(block, 257, 8, 'ustar\x0000');
  if (dialect !== 'v7') {
    put(block, 265, 32, 'root');
    put(block, 297, 32, 'root');
  }
  if (fields.prefix !== undefined) put(block, 345, 155, fields.prefix);
  fields.edit?.(block);
  putChecksum(block, checksum);
  return block;
}

/** A member with everything that its dialect writes before it. Without a body, `size` says what the caller will put behind it. */
export function member(fields: MemberFields): Buffer {
  const body = bytesOf(fields.body ?? '');
  const full = { ...fields, size: fields.size ?? body.length };
  return Buffer.concat([...extensions(full), header(fitted(full)), padded(body)]);
}

export function file(path: Text, body: Text, fields: Omit<MemberFields, 'path' | 'body'> = {}): Buffer {
  return member({ ...fields, path, body });
}

export function directory(path: string, fields: Omit<MemberFields, 'path'> = {}): Buffer {
  return member({ type: '5', ...fields, path: path.endsWith('/') ? path : `${path}/` });
}

export function hardLink(path: Text, target: Text, fields: Omit<MemberFields, 'path' | 'target'> = {}): Buffer {
  return member({ type: '1', ...fields, path, target });
}

export function symlink(path: Text, target: Text, fields: Omit<MemberFields, 'path' | 'target'> = {}): Buffer {
  return member({ type: '2', ...fields, path, target });
}

/** GNU's `L` record: the name of the next member. */
export function longName(path: Text): Buffer {
  return longRecord('L', path);
}

/** GNU's `K` record: the link target of the next member. */
export function longTarget(target: Text): Buffer {
  return longRecord('K', target);
}

/** An `x` header: records for the next member. */
export function paxHeader(records: PaxRecords): Buffer {
  return paxMember('x', 'PaxHeaders/next', records);
}

/** A `g` header: records for every member that follows. */
export function paxGlobal(records: PaxRecords): Buffer {
  return paxMember('g', 'pax_global_header', records);
}

/** `<length> <key>=<value>\n` each, where the length counts its own digits. */
export function paxRecords(records: PaxRecords): Buffer {
  const pairs: readonly (readonly [string, Text])[] = isPairs(records) ? records : Object.entries(records);
  return Buffer.concat(pairs.map(([key, value]) => paxRecord(key, value)));
}

export interface ArchiveOptions {
  /** Blocks of zeros at the end; 2 unless told. */
  readonly endBlocks?: number;
  /** Zeros up to a multiple of this, as tar's 20 blocks of 512 bytes; none unless told. */
  readonly recordBytes?: number;
  /** Rubbish after everything. */
  readonly trailing?: Text;
}

/** Joins members and ends the archive. Archives can be joined again: that is what `cat a.tar b.tar` gives. */
export function archive(members: readonly Uint8Array[], options: ArchiveOptions = {}): Buffer {
  const { endBlocks = 2, recordBytes = blockBytes, trailing = '' } = options;
  const ended = Buffer.concat([...members, Buffer.alloc(endBlocks * blockBytes)]);
  const rest = (recordBytes - (ended.length % recordBytes)) % recordBytes;
  return Buffer.concat([ended, Buffer.alloc(rest), bytesOf(trailing)]);
}

/** Fills a body up to its last block. */
export function padded(body: Uint8Array): Buffer {
  return Buffer.concat([body, Buffer.alloc((blockBytes - (body.length % blockBytes)) % blockBytes)]);
}

export function bytesOf(text: Text): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text.buffer, text.byteOffset, text.byteLength);
}

function extensions(fields: MemberFields & { readonly size: number }): Buffer[] {
  const dialect = fields.dialect ?? 'gnu';
  const path = bytesOf(fields.path);
  const target = bytesOf(fields.target ?? '');
  const extra: (readonly [string, Text])[] =
    fields.pax === undefined ? [] : isPairs(fields.pax) ? [...fields.pax] : Object.entries(fields.pax);
  if (dialect === 'gnu') {
    // GNU tar writes the target's record first.
    const records = [
      ...(target.length > 100 ? [longTarget(target)] : []),
      ...(path.length > 100 ? [longName(path)] : []),
    ];
    return extra.length === 0 ? records : [paxHeader(extra), ...records];
  }
  if (dialect === 'pax') {
    if (needsPax(path)) extra.push(['path', path]);
    if (needsPax(target)) extra.push(['linkpath', target]);
    if (fields.size > largestOctalSize) extra.push(['size', String(fields.size)]);
  }
  return extra.length === 0 ? [] : [paxHeader(extra)];
}

function fitted(fields: MemberFields & { readonly size: number }): HeaderFields {
  if (fields.dialect === 'pax') return fields.size > largestOctalSize ? { ...fields, size: 0 } : fields;
  if (fields.dialect !== 'ustar' || fields.prefix !== undefined) return fields;
  const path = bytesOf(fields.path);
  if (path.length <= 100) return fields;
  const from = Math.max(0, path.length - 101);
  const slash = path.indexOf(0x2f, from);
  if (slash < 0 || slash > 155 || slash === path.length - 1)
    throw new Error(`${path.toString()} does not fit into ustar's prefix and name`);
  return { ...fields, prefix: path.subarray(0, slash), path: path.subarray(slash + 1) };
}

function needsPax(name: Buffer): boolean {
  return name.length > 100 || name.some((byte) => byte > 0x7f);
}

function longRecord(type: 'L' | 'K', name: Text): Buffer {
  // GNU tar counts and writes the NUL that ends the name.
  const body = Buffer.concat([bytesOf(name), Buffer.alloc(1)]);
  return Buffer.concat([header({ path: '././@LongLink', type, size: body.length, modified: 0 }), padded(body)]);
}

function paxMember(type: 'x' | 'g', path: string, records: PaxRecords): Buffer {
  const body = paxRecords(records);
  return Buffer.concat([header({ path, type, size: body.length, dialect: 'pax' }), padded(body)]);
}

function paxRecord(key: string, value: Text): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), bytesOf(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function isPairs(records: PaxRecords): records is readonly (readonly [string, Text])[] {
  return Array.isArray(records);
}

function put(block: Buffer, at: number, length: number, text: Text): void {
  bytesOf(text).copy(block, at, 0, length);
}

function putOctal(block: Buffer, at: number, length: number, value: number): void {
  put(block, at, length, `${value.toString(8).padStart(length - 1, '0')}\0`);
}

function putNumber(block: Buffer, at: number, length: number, value: number): void {
  if (value >= 0 && value < 8 ** (length - 1)) putOctal(block, at, length, value);
  else putBase256(block, at, length, value);
}

/** @see GNU tar, "Basic Tar Format": the first byte is 0x80 (or 0xff for negative numbers), the rest is big-endian two's complement */
function putBase256(block: Buffer, at: number, length: number, value: number): void {
  let rest = BigInt(value);
  for (let i = at + length - 1; i >= at; i--) {
    block[i] = Number(BigInt.asUintN(8, rest));
    rest >>= 8n;
  }
  block[at] = value < 0 ? 0xff : 0x80;
}

function putChecksum(block: Buffer, checksum: NonNullable<HeaderFields['checksum']>): void {
  block.fill(0x20, 148, 156);
  if (checksum === 'blank') return;
  let sum = 0;
  for (const byte of block) sum += checksum === 'signed' && byte > 0x7f ? byte - 256 : byte;
  if (checksum === 'wrong') sum += 1;
  put(block, 148, 8, `${sum.toString(8).padStart(6, '0')}\0 `);
}
