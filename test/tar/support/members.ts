import type { Problem } from '../../../src/errors.ts';
import { collectBody } from '../../../src/io/body.ts';
import { openTarFile } from '../../../src/source/tar-file.ts';
import type { EntryKind } from '../../../src/source/backup.ts';
import { scanTarStream } from '../../../src/tar/stream-scan.ts';
import type { PlacedRun } from '../../../src/tar/sparse.ts';
import { memoryAccess } from './memory-access.ts';

export interface SeenMember {
  readonly path: string;
  readonly kind: EntryKind;
  readonly target: string;
  readonly modified: number;
  /** Effective content of files, read as a stream; undefined for other kinds. */
  readonly content: Buffer | undefined;
}

export interface Seen {
  readonly members: readonly SeenMember[];
  readonly problems: readonly Problem[];
}

/** Everything that the seeking scan yields, contents read back by their places. */
export async function seekMembers(archive: Uint8Array): Promise<Seen> {
  const backup = openTarFile(memoryAccess(archive), 'test.tar');
  const found: {
    readonly member: Omit<SeenMember, 'content'>;
    readonly location: Parameters<typeof backup.read>[0];
    readonly inline: Buffer | undefined;
  }[] = [];
  const problems = await backup.scan(({ path, kind, target, modified, location, bytes }) => {
    found.push({ member: { path, kind, target, modified }, location, inline: bytes && Buffer.from(bytes) });
  });
  const members: SeenMember[] = [];
  for (const { member, location, inline } of found) {
    const content =
      member.kind === 'file'
        ? Buffer.from(await collectBody(backup.read(location), Number.POSITIVE_INFINITY))
        : undefined;
    if (content !== undefined && inline !== undefined && !inline.equals(content))
      throw new Error(`${member.path}: the bytes that the scan gave are not those of its place`);
    members.push({ ...member, content });
  }
  return { members, problems };
}

/** Everything that the one-pass scan yields, the archive given in chunks of `chunkBytes`. */
export async function streamMembers(archive: Uint8Array, chunkBytes = 64 * 1024): Promise<Seen> {
  const members: SeenMember[] = [];
  const problems = await scanTarStream(
    inChunks(archive, chunkBytes),
    ({ path, kind, target, modified, size, runs }) => {
      const pieces: Buffer[] = [];
      return {
        write: (chunk) => void pieces.push(Buffer.from(chunk)),
        end: (isWhole) => {
          if (isWhole)
            members.push({
              path,
              kind,
              target,
              modified,
              content: kind === 'file' ? spread(Buffer.concat(pieces), size, runs) : undefined,
            });
        },
      };
    },
  );
  return { members, problems };
}

async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function spread(stored: Buffer, size: number, runs: readonly PlacedRun[] | undefined): Buffer {
  if (runs === undefined) return stored;
  const content = Buffer.alloc(size);
  let from = 0;
  for (const run of runs) from += stored.copy(content, run.at, from, from + run.size);
  return content;
}
