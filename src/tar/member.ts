import { limits } from '../io/limits.ts';
import type { Extended } from './extended.ts';
import { headerLinkName, headerModified, headerName, typeFlags } from './header.ts';
import type { PlacedRun } from './sparse.ts';

/** What a member is, as far as reading it differs. */
export type MemberKind = 'file' | 'hardlink' | 'symlink' | 'directory' | 'other';

/** Gives small bodies, and leaves the member's header where it is. */
export interface BodyReader {
  bytes(start: number, size: number): Uint8Array | undefined;
  /** One character a byte: a link's body, without the cost of a view on it. */
  text(start: number, size: number): string | undefined;
  byte(position: number): number | undefined;
  /** Copies a body. @returns false where the archive ends before */
  copy(start: number, size: number, target: Buffer, at: number): boolean;
}

/** A path as the bytes that are stored, in the middle of others. Valid as long as the member that it belongs to. */
export interface PathBytes {
  readonly pathBuffer: Buffer;
  readonly pathStart: number;
  readonly pathEnd: number;
}

/**
 * One real member. The object is reused for the next: keep its fields, never the member, and ask for them before the
 * visitor returns.
 * Path, time and bytes are made when they are asked for: half of the members of a backup are folders that nothing needs
 * to know more of.
 */
export class Member implements PathBytes {
  kind: MemberKind = 'other';
  /** Target of a link as stored; empty for other kinds. */
  target = '';
  /** Effective size in bytes. */
  size = 0;
  /** Offset of the body. */
  start = 0;
  /** Data runs of a sparse member. */
  runs: readonly PlacedRun[] | undefined = undefined;
  pathBuffer: Buffer;
  pathStart = 0;
  /** 0 where the path is not a piece of `pathBuffer`. */
  pathEnd = 0;
  private pathText: string | undefined = undefined;
  private modifiedSeconds: number | undefined = undefined;
  private headerAt = 0;
  private readonly body: BodyReader | undefined;

  constructor(buffer: Buffer, body?: BodyReader) {
    this.pathBuffer = buffer;
    this.body = body;
  }

  get path(): string {
    return (this.pathText ??= this.pathBuffer.toString('utf8', this.pathStart, this.pathEnd));
  }

  /** Seconds since 1970. */
  get modified(): number {
    return (this.modifiedSeconds ??= headerModified(this.pathBuffer, this.headerAt));
  }

  /** The body of files up to `limits.linkBytes`; undefined for larger ones. */
  get bytes(): Uint8Array | undefined {
    return this.isSmallFile ? this.body?.bytes(this.start, this.size) : undefined;
  }

  /** The same as text, one character a byte. */
  get text(): string | undefined {
    return this.isSmallFile ? this.body?.text(this.start, this.size) : undefined;
  }

  /** The first byte of a body that is not empty. */
  get firstByte(): number | undefined {
    return this.body?.byte(this.start);
  }

  /** Copies the body of a file that is not sparse. @returns whether it could */
  copyBody(target: Buffer, at: number): boolean {
    return this.body?.copy(this.start, this.size, target, at) ?? false;
  }

  private get isSmallFile(): boolean {
    return this.kind === 'file' && this.size <= limits.linkBytes && this.runs === undefined;
  }

  /**
   * Fills it from a valid header at `at` in the buffer and what extended records say.
   * @param body offset of what follows the header
   * @param stored bytes that the member says it occupies
   */
  fill(at: number, extended: Extended | undefined, body: number, stored: number): void {
    const buffer = this.pathBuffer;
    this.pathEnd = 0;
    this.pathText = extended?.sparse?.name ?? extended?.path ?? headerName(buffer, at);
    this.kind = memberKind(buffer[at + 156] ?? 0, this.pathText);
    this.target =
      this.kind === 'hardlink' || this.kind === 'symlink' ? (extended?.target ?? headerLinkName(buffer, at)) : '';
    this.modifiedSeconds = extended?.modified ?? headerModified(buffer, at);
    this.size = this.kind === 'file' ? stored : 0;
    this.start = body;
    this.runs = undefined;
  }

  /** Fills it with a plain file or folder whose path lies in the buffer. */
  fillPlain(
    kind: 'file' | 'directory',
    at: number,
    pathStart: number,
    pathEnd: number,
    body: number,
    size: number,
  ): void {
    this.kind = kind;
    this.target = '';
    this.size = size;
    this.start = body;
    this.runs = undefined;
    this.pathStart = pathStart;
    this.pathEnd = pathEnd;
    this.pathText = undefined;
    this.modifiedSeconds = undefined;
    this.headerAt = at;
  }
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
  return (
    kind === 'other' &&
    typeFlag !== typeFlags.characterDevice &&
    typeFlag !== typeFlags.blockDevice &&
    typeFlag !== typeFlags.fifo
  );
}
