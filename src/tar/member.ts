import type { Extended } from './extended.ts';
import { headerLinkName, headerModified, headerName, typeFlags } from './header.ts';
import type { PlacedRun } from './sparse.ts';

export type MemberKind = 'file' | 'hardlink' | 'symlink' | 'directory' | 'other';

/** One real member. The object is reused for the next: keep its fields, never the member. */
export interface Member {
  path: string;
  kind: MemberKind;
  /** Target of a link as stored; empty for other kinds. */
  target: string;
  /** Seconds since 1970. */
  modified: number;
  /** Effective size in bytes. */
  size: number;
  /** Offset of the body. */
  start: number;
  /** Data runs of a sparse member. */
  runs: readonly PlacedRun[] | undefined;
  /** The body of files up to `limits.linkBytes`, valid until the visitor returns. */
  bytes: Uint8Array | undefined;
}

export function emptyMember(): Member {
  return { path: '', kind: 'other', target: '', modified: 0, size: 0, start: 0, runs: undefined, bytes: undefined };
}

/**
 * Fills `member` from a valid header at `at` and what extended records say.
 * @param body offset of what follows the header
 * @param stored bytes that the member says it occupies
 */
export function fillMember(member: Member, buffer: Buffer, at: number, extended: Extended | undefined, body: number, stored: number): void {
  const typeFlag = buffer[at + 156] ?? 0;
  member.path = extended?.sparse?.name ?? extended?.path ?? headerName(buffer, at);
  member.kind = memberKind(typeFlag, member.path);
  member.target = member.kind === 'hardlink' || member.kind === 'symlink' ? (extended?.target ?? headerLinkName(buffer, at)) : '';
  member.modified = extended?.modified ?? headerModified(buffer, at);
  member.size = member.kind === 'file' ? stored : 0;
  member.start = body;
  member.runs = undefined;
  member.bytes = undefined;
}

function memberKind(typeFlag: number, path: string): MemberKind {
  switch (typeFlag) {
    case typeFlags.file:
    case typeFlags.fileOld:
      // Before ustar a folder was a file whose name ends with a slash.
      return path.endsWith('/') ? 'directory' : 'file';
    case typeFlags.contiguous:
    case typeFlags.sparse:
      return 'file';
    case typeFlags.hardlink:
      return 'hardlink';
    case typeFlags.symlink:
      return 'symlink';
    case typeFlags.directory:
      return 'directory';
    default:
      return 'other';
  }
}

/** Links and devices carry no body even where old writers filled in the size of what they link to. */
export function hasBody(kind: MemberKind, typeFlag: number): boolean {
  if (kind === 'file') return true;
  if (kind === 'directory') return typeFlag !== typeFlags.directory;
  return kind === 'other' && typeFlag !== typeFlags.characterDevice && typeFlag !== typeFlags.blockDevice && typeFlag !== typeFlags.fifo;
}
