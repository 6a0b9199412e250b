import { encode, encodePax } from 'tar-stream/headers.js';
import { RegtarError } from '../errors.ts';
import { blockBytes, paddedSize } from './header.ts';

/** A member to be written. Everything that differs between two runs is left out. */
export interface MemberHeader {
  /** A directory's ends in `/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory';
  /** In bytes. */
  readonly size: number;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Seconds since 1970, where the source says them. @defaultValue 0, the same in every run */
  readonly modified?: number | undefined;
}

/** Two empty blocks end an archive. */
export const endOfArchive: Uint8Array = Buffer.alloc(2 * blockBytes);

/** Eleven octal digits. */
const latestTime = 8 ** 11 - 1;
const zeros = Buffer.alloc(blockBytes);

/**
 * The header of a member, with a PAX record before it where the name is too long for ustar. tar-stream encodes it;
 * bodies go to the output past it, since a stream in between can neither be rewound to drop a damaged blob nor keeps
 * the disk's pace.
 */
export function encodeMemberHeader({
  path,
  kind,
  size,
  owner = { uid: 0, gid: 0 },
  modified = 0,
}: MemberHeader): Uint8Array {
  const fields = {
    name: path,
    type: kind,
    size,
    mode: kind === 'directory' ? 0o755 : 0o644,
    ...owner,
    mtime: new Date(Math.min(modified, latestTime) * 1000),
  } as const;
  const header = encode(fields);
  if (header !== null) return header;
  const record = encodePax({ name: path });
  return Buffer.concat([
    block({ ...fields, name: 'PaxHeader', type: 'pax-header', size: record.length }),
    record,
    memberPadding(record.length),
    block({ ...fields, name: 'long' }),
  ]);
}

/** What fills the last block of a body of `size` bytes. */
export function memberPadding(size: number): Uint8Array {
  return zeros.subarray(0, paddedSize(size) - size);
}

/** What a member takes in an archive, in bytes, where its name needs no record of its own. */
export function memberBytes(size: number): number {
  return blockBytes + paddedSize(size);
}

function block(fields: Parameters<typeof encode>[0]): Uint8Array {
  const header = encode(fields);
  if (header === null) throw new RegtarError('INTERNAL', `no header for ${fields.name}`);
  return header;
}
