import { RegtarError } from '../errors.ts';
import type { Entry, EntryKind, Location } from './backup.ts';

/** Entries in few bytes, to be visited again without the archive: about 100 bytes a link. */
export interface EntryLog {
  /** @param file number of the spooled file that holds the entry's content */
  add(entry: Entry, file?: number): void;
  /** Everything added so far, in pieces of any size. */
  pieces(): readonly Uint8Array[];
}

const kinds: readonly EntryKind[] = ['file', 'hardlink', 'symlink', 'directory', 'other'];
const flags = { kind: 7, bytes: 8, runs: 16, file: 32, bytesArePath: 64 } as const;
const pieceBytes = 256 * 1024;
/** Everything in a record but its texts, bytes and runs. */
const fixedBytes = 64;
const runBytes = 18;

export function createEntryLog(): EntryLog {
  const full: Uint8Array[] = [];
  let piece = Buffer.allocUnsafe(pieceBytes);
  let at = 0;
  let previous = Buffer.alloc(0);

  const makeRoom = (count: number): void => {
    if (at + count <= piece.length) return;
    full.push(piece.subarray(0, at));
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
      const isPath = bytes !== undefined && isDigestOfPath(entry.path, bytes);
      const isKept = bytes !== undefined && !isPath;
      const runs = location.runs ?? [];
      makeRoom(fixedBytes + path.length + target.length + (isKept ? bytes.length : 0) + runs.length * runBytes);
      put(kinds.indexOf(entry.kind) + (isKept ? flags.bytes : 0) + (location.runs === undefined ? 0 : flags.runs) + (file === undefined ? 0 : flags.file) + (isPath ? flags.bytesArePath : 0), 1);
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
      previous = path;
    },
    pieces: () => [...full, piece.subarray(0, at)],
  };
}

/**
 * Visits what a log holds, in order.
 * @param fileOf gives the path of a spooled file
 * @throws RegtarError INDEX_STALE when the pieces are no log
 */
export function replayEntries(pieces: readonly Uint8Array[], visit: (entry: Entry) => void, fileOf: (file: number) => string = String): void {
  let path = Buffer.alloc(1024);
  for (const bytes of pieces) {
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    const take = (width: number): number => {
      if (at + width > piece.length) throw invalid();
      at += width;
      return piece.readUIntBE(at - width, width);
    };
    const takeBytes = (length: number): Buffer => {
      if (at + length > piece.length) throw invalid();
      at += length;
      return piece.subarray(at - length, at);
    };
    while (at < piece.length) {
      const flag = take(1);
      const shared = take(3);
      const suffix = takeBytes(take(3));
      const length = shared + suffix.length;
      if (length > path.length) path = Buffer.concat([path], length * 2);
      suffix.copy(path, shared);
      const kind = kinds[flag & flags.kind];
      if (kind === undefined) throw invalid();
      const text = path.toString('utf8', 0, length);
      const modified = take(5);
      const size = take(6);
      const start = take(6);
      const target = takeBytes(take(3)).toString('utf8');
      const content = (flag & flags.bytes) !== 0 ? takeBytes(take(2)) : undefined;
      const runs = (flag & flags.runs) !== 0 ? Array.from({ length: Math.min(take(4), piece.length / runBytes) }, () => ({ at: take(6), start: take(6), size: take(6) })) : undefined;
      const file = (flag & flags.file) !== 0 ? fileOf(take(5)) : undefined;
      const location: Location = { size, start, ...(runs && { runs }), ...(file !== undefined && { file }) };
      visit({ path: text, kind, target, modified, location, bytes: (flag & flags.bytesArePath) !== 0 ? digestOfPath(text) : content });
    }
  }
}

function sharedBytes(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  let shared = 0;
  while (shared < length && left[shared] === right[shared]) shared++;
  return shared;
}

/** Nearly every link holds the digest that its own path says: `…/sha256/<hex>/link`. */
function isDigestOfPath(path: string, bytes: Uint8Array): boolean {
  return path.endsWith('/link') && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).equals(digestOfPath(path));
}

function digestOfPath(path: string): Buffer {
  const parts = path.split('/');
  return Buffer.from(`${parts.at(-3) ?? ''}:${parts.at(-2) ?? ''}`);
}

function invalid(): RegtarError {
  return new RegtarError('INDEX_STALE', 'the saved entries are damaged', { side: 'source' });
}
