import { RegtarError, type Problem } from '../../errors.ts';
import { bodyOf } from '../../io/body.ts';
import { limits } from '../../io/limits.ts';
import { forEachParallel } from '../../io/parallel.ts';
import type { Member } from '../../tar/scan.ts';
import type { Entry, Location } from '../backup.ts';
import { longestCopyBytes } from '../copies.ts';
import type { SingleSource } from '../opened-source.ts';
import { readRuns, runsOf } from '../runs.ts';
import type { IndexWriter, SavedIndex } from '../saved-index.ts';
import { farConnections } from './access.ts';
import type { FarObject } from './far-object.ts';
import { scanParts } from './scan-parts.ts';
import { createSmallFiles, type SmallFiles } from './small-files.ts';

/** What spares or keeps a scan. */
export interface FarTarOptions {
  /** What an earlier scan saw: no other is made then. */
  readonly index?: SavedIndex | undefined;
  /** Writes such an index during the first scan. */
  readonly indexWriter?: IndexWriter | undefined;
}

/** A plain tar on a server: headers are read where they lie, manifests come along with them, layers are streamed. */
export function openFarTar(object: FarObject, { index, indexWriter }: FarTarOptions = {}): SingleSource {
  const { describe } = object;
  const small = createSmallFiles();
  let problems: readonly Problem[] = [];
  const near = (location: Location): Uint8Array | undefined =>
    location.copy === undefined ? small.get(location.start) : index?.readCopy(location.copy, location.size);
  return {
    describe,
    format: 'tar',
    bytes: object.size,
    async scan(visit, options = {}) {
      if (index !== undefined) return index.replay(visit);
      problems = await scanParts(object, recorded(visit, small, indexWriter), {
        ...options,
        connections: farConnections,
        bytesWanted,
        meet: (member) => keepJson(member, small),
      });
      indexWriter?.copies.end();
      return problems;
    },
    read(location, from = 0, ring) {
      const bytes = near(location);
      return bytes === undefined
        ? readRuns(location, from, ring, (start, size, into) => object.read(start, size, into))
        : bodyOf(bytes.subarray(from));
    },
    readSmall(location) {
      const bytes = near(location);
      if (bytes !== undefined) return bytes;
      throw new RegtarError('SOURCE_UNREADABLE', `${describe}: byte ${location.start} was not brought in time`, {
        where: { path: describe, offset: location.start },
      });
    },
    // The writer of an index reads no manifests.
    ...(indexWriter === undefined && {
      bring: (locations: Iterable<Location>) =>
        forEachParallel(
          [...locations].filter((location) => location.size <= limits.manifestBytes && near(location) === undefined),
          farConnections,
          async (location) => small.keep(location.start, await readWhole(object, location)),
        ),
    }),
    file: () => undefined,
    far: (location) =>
      location.runs !== undefined || near(location) !== undefined
        ? undefined
        : object.bytes?.(location.start, location.size),
    isFar: true,
    object: ({ start, size, runs }) =>
      object.stored === undefined || runs !== undefined
        ? undefined
        : { ...object.stored, objectBytes: object.size, start, size },
    ...(indexWriter && { saveIndex: () => indexWriter.finish(problems) }),
    async close() {
      indexWriter?.discard();
      index?.close();
      await object.close();
    },
  };
}

/** `{` and `[`. */
const openings: ReadonlySet<number | undefined> = new Set([123, 91]);

/** Links whole, and what may be a manifest or a config; of everything else only its first byte, which tells. */
function bytesWanted(member: Member): number {
  const { size } = member;
  if (member.kind !== 'file' || member.runs !== undefined || size > longestCopyBytes) return 0;
  if (size <= limits.linkBytes || openings.has(member.firstByte)) return size;
  return 1;
}

function keepJson(member: Member, small: SmallFiles): void {
  const { size, start } = member;
  if (size <= 1 || bytesWanted(member) < size || !openings.has(member.firstByte) || small.has(start)) return;
  const bytes = Buffer.allocUnsafeSlow(size);
  if (member.copyBody(bytes, 0)) small.keep(start, bytes);
}

/** Passes entries on in the archive's order, and into the index. */
function recorded(
  visit: (entry: Entry) => void,
  small: SmallFiles,
  writer: IndexWriter | undefined,
): (entry: Entry) => void {
  if (writer === undefined) return visit;
  return (entry) => {
    const bytes = small.get(entry.location.start);
    const copy =
      bytes === undefined
        ? undefined
        : writer.copies.add(bytes.length, (page, at) => {
            page.set(bytes, at);
            return true;
          });
    writer.add(copy === undefined ? entry : withCopy(entry, copy));
    visit(entry);
  };
}

function withCopy({ path, kind, target, modified, location, bytes }: Entry, copy: number): Entry {
  return { path, kind, target, modified, bytes, location: { ...location, copy } };
}

async function readWhole(object: FarObject, location: Location): Promise<Uint8Array> {
  const bytes = Buffer.alloc(location.size);
  for (const run of runsOf(location)) bytes.set(await object.fetch(run.start, run.size), run.at);
  return bytes;
}
