import { RegtarError } from '../errors.ts';
import type { Entry, EntryKind, Location } from './backup.ts';

/** Entries in few bytes, to be visited again without the archive: about 100 bytes a link. */
export interface EntryLog {
  /** @param file number of the spooled file that holds the entry's content */
  add(entry: Entry, file?: number): void;
  /** Everything added since they were last taken, in pieces of any size. An entry never lies in two. */
  pieces(): readonly Uint8Array[];
}

const kinds: readonly EntryKind[] = ['file', 'hardlink', 'symlink', 'directory', 'other'];
const flags = { kind: 7, bytes: 8, runs: 16, file: 32, bytesArePath: 64, copy: 128 } as const;
const pieceBytes = 256 * 1024;
/** Everything in a record but its texts, bytes and runs. */
const fixedBytes = 64;
const runBytes = 18;

/** Keeps its pieces, or gives each away when it is full. */
export function createEntryLog(options: { readonly onPiece?: (piece: Uint8Array) => void } = {}): EntryLog {
  const full: Uint8Array[] = [];
  const keep = options.onPiece ?? ((done: Uint8Array): void => void full.push(done));
  let piece = Buffer.allocUnsafe(pieceBytes);
  let at = 0;
  let previous = Buffer.alloc(0);

  const makeRoom = (count: number): void => {
    if (at + count <= piece.length) return;
    keep(piece.subarray(0, at));
    piece = Buffer.allocUnsafe(Math.max(pieceBytes, count));
    at = 0;
  };
  const put = (value: number, width: number): void => void (at = piece.writeUIntBE(value, at, width));
  const putBytes = (bytes: Uint8Array): void => {
    piece.set(bytes, at);
    at += bytes.length;
  };

  return {
    add(entry, file) {
      const { location, bytes } = entry;
      const path = Buffer.from(entry.path);
      const target = Buffer.from(entry.target);
      const shared = sharedBytes(previous, path);
      const isPath = bytes !== undefined && isDigestOfPath(path, bytes);
      const isKept = bytes !== undefined && !isPath;
      const runs = location.runs ?? [];
      makeRoom(fixedBytes + path.length + target.length + (isKept ? bytes.length : 0) + runs.length * runBytes);
      put(
        kinds.indexOf(entry.kind) +
          (isKept ? flags.bytes : 0) +
          (location.runs === undefined ? 0 : flags.runs) +
          (file === undefined ? 0 : flags.file) +
          (isPath ? flags.bytesArePath : 0) +
          (location.copy === undefined ? 0 : flags.copy),
        1,
      );
      put(shared, 3);
      put(path.length - shared, 3);
      putBytes(path.subarray(shared));
      put(Math.min(Math.max(entry.modified, 0), 2 ** 40 - 1), 5);
      put(location.size, 6);
      put(location.start, 6);
      put(target.length, 3);
      putBytes(target);
      if (isKept) {
        put(bytes.length, 2);
        putBytes(bytes);
      }
      if (location.runs !== undefined) {
        put(runs.length, 4);
        for (const run of runs) [run.at, run.start, run.size].forEach((value) => put(value, 6));
      }
      if (file !== undefined) put(file, 5);
      if (location.copy !== undefined) put(location.copy, 6);
      previous = path;
    },
    pieces: () => [...full, piece.subarray(0, at)],
  };
}

/**
 * Visits what a log holds, in order. The visitor always gets the same object, whose fields are made when it asks for
 * them.
 * @param fileOf gives the path of a spooled file
 * @throws RegtarError INDEX_STALE when the pieces are not a log
 */
export function replayEntries(
  pieces: Iterable<Uint8Array>,
  visit: (entry: Entry) => void,
  fileOf: (file: number) => string = String,
): void {
  const reader = new LogReader(fileOf);
  for (const piece of pieces) {
    reader.open(piece);
    while (reader.next()) visit(reader);
  }
}

/** A cursor over records that is itself the entry it stands on: a visitor looks at few fields of most. */
class LogReader implements Entry {
  pathBuffer: Buffer = Buffer.alloc(1024);
  readonly pathStart = 0;
  pathEnd = 0;
  kind: EntryKind = 'other';
  target = '';
  modified = 0;
  private piece: Buffer = Buffer.alloc(0);
  private at = 0;
  private flag = 0;
  private size = 0;
  private start = 0;
  private contentAt = 0;
  private contentBytes = 0;
  private runs: Location['runs'] = undefined;
  private file: string | undefined = undefined;
  private copy: number | undefined = undefined;
  private readonly fileOf: (file: number) => string;

  constructor(fileOf: (file: number) => string) {
    this.fileOf = fileOf;
  }

  get path(): string {
    return this.pathBuffer.toString('utf8', 0, this.pathEnd);
  }

  get pathBytes(): Entry['pathBytes'] {
    return this;
  }

  get location(): Location {
    const { size, start, runs, file, copy } = this;
    if (runs === undefined && file === undefined) return copy === undefined ? { size, start } : { size, start, copy };
    return {
      size,
      start,
      ...(runs && { runs }),
      ...(file !== undefined && { file }),
      ...(copy !== undefined && { copy }),
    };
  }

  get bytes(): Uint8Array | undefined {
    if ((this.flag & flags.bytesArePath) !== 0)
      return Buffer.from(digestTextOfPath(this.pathBuffer, this.pathEnd), 'latin1');
    return (this.flag & flags.bytes) === 0
      ? undefined
      : this.piece.subarray(this.contentAt, this.contentAt + this.contentBytes);
  }

  get text(): string | undefined {
    if ((this.flag & flags.bytesArePath) !== 0) return digestTextOfPath(this.pathBuffer, this.pathEnd);
    return (this.flag & flags.bytes) === 0
      ? undefined
      : this.piece.toString('latin1', this.contentAt, this.contentAt + this.contentBytes);
  }

  open(piece: Uint8Array): void {
    this.piece = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    this.at = 0;
  }

  /** @returns false at the end of the piece */
  next(): boolean {
    if (this.at >= this.piece.length) return false;
    this.flag = this.take(1);
    const shared = this.take(3);
    const suffixBytes = this.take(3);
    const suffixAt = this.skip(suffixBytes);
    // What is shared must have been there before.
    if (shared > this.pathEnd) throw invalid();
    if (shared + suffixBytes > this.pathBuffer.length)
      this.pathBuffer = Buffer.concat([this.pathBuffer], (shared + suffixBytes) * 2);
    this.piece.copy(this.pathBuffer, shared, suffixAt, suffixAt + suffixBytes);
    this.pathEnd = shared + suffixBytes;
    const kind = kinds[this.flag & flags.kind];
    if (kind === undefined) throw invalid();
    this.kind = kind;
    this.modified = this.take(5);
    this.size = this.take(6);
    this.start = this.take(6);
    const targetBytes = this.take(3);
    const targetAt = this.skip(targetBytes);
    this.target = targetBytes === 0 ? '' : this.piece.toString('utf8', targetAt, targetAt + targetBytes);
    this.contentBytes = (this.flag & flags.bytes) === 0 ? 0 : this.take(2);
    this.contentAt = this.skip(this.contentBytes);
    this.runs = (this.flag & flags.runs) === 0 ? undefined : this.takeRuns();
    this.file = (this.flag & flags.file) === 0 ? undefined : this.fileOf(this.take(5));
    this.copy = (this.flag & flags.copy) === 0 ? undefined : this.take(6);
    return true;
  }

  private takeRuns(): NonNullable<Location['runs']> {
    const count = this.take(4);
    if (count * runBytes > this.piece.length - this.at) throw invalid();
    return Array.from({ length: count }, () => ({ at: this.take(6), start: this.take(6), size: this.take(6) }));
  }

  private take(width: number): number {
    const { piece } = this;
    const at = this.skip(width);
    let value = 0;
    for (let index = at; index < at + width; index++) value = value * 256 + (piece[index] as number);
    return value;
  }

  private skip(length: number): number {
    const { at } = this;
    if (at + length > this.piece.length) throw invalid();
    this.at = at + length;
    return at;
  }
}

function sharedBytes(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  let shared = 0;
  while (shared < length && left[shared] === right[shared]) shared++;
  return shared;
}

/** Nearly every link holds the digest that its own path says: `…/sha256/<hex>/link`. */
function isDigestOfPath(path: Buffer, bytes: Uint8Array): boolean {
  return (
    path.toString('latin1', path.length - '/link'.length) === '/link' &&
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1') === digestTextOfPath(path, path.length)
  );
}

/** The two folders above the file, with a colon between them. */
function digestTextOfPath(path: Buffer, length: number): string {
  const end = slashBefore(path, length);
  const middle = slashBefore(path, end);
  const start = slashBefore(path, middle);
  return `${path.toString('latin1', start + 1, middle)}:${path.toString('latin1', middle + 1, end)}`;
}

/** @returns the index of the last slash before `end`, or -1 */
function slashBefore(path: Buffer, end: number): number {
  let at = end - 1;
  while (at >= 0 && path[at] !== 47) at--;
  return at;
}

function invalid(): RegtarError {
  return new RegtarError('INDEX_STALE', 'the saved entries are damaged');
}
