import { RegtarError, systemErrorCode, type Problem } from '../errors.ts';
import type { Body } from '../io/body.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { readRange } from '../io/read-range.ts';
import type { Ring } from '../io/ring.ts';
import { scanTar, type Member } from '../tar/scan.ts';
import type { Entry, Location } from './backup.ts';
import { copyIn, longestCopyBytes, packCopies, pageOf, type Copies } from './copies.ts';
import { entryOf } from './member-entry.ts';
import type { SingleSource } from './opened-source.ts';
import { readRuns, runsOf } from './runs.ts';
import type { IndexWriter, SavedIndex } from './saved-index.ts';

/** What spares or keeps a scan. */
export interface TarFileOptions {
  /** What an earlier scan saw: no other is made then. */
  readonly index?: SavedIndex | undefined;
  /** Writes such an index during the first scan. */
  readonly indexWriter?: IndexWriter | undefined;
  /** Whether the first scan keeps copies of manifests and configs, for callers that are going to read all of them. */
  readonly keepCopies?: boolean | undefined;
}

/** What copies may take in memory, in pages; more is read from the tar. */
const mostPagesHeld = 160;

/** A plain tar that can be sought: nothing is unpacked, every byte is read where it lies. */
export function openTarFile(
  access: RandomAccess,
  describe: string,
  { index, indexWriter, keepCopies = false }: TarFileOptions = {},
): SingleSource {
  const pages: Buffer[] = [];
  let copies =
    indexWriter?.copies ?? (keepCopies ? packCopies(mostPagesHeld, (page) => void pages.push(page)) : undefined);
  let problems: readonly Problem[] = [];
  const readCopy = (copy: number, size: number): Uint8Array | undefined =>
    index === undefined ? copyIn(pages[pageOf(copy)], copy, size) : index.readCopy(copy, size);
  const changed = (location: Location, cause?: unknown): RegtarError =>
    new RegtarError(
      access.changed() ? 'SOURCE_CHANGED' : 'SOURCE_UNREADABLE',
      `${describe} could not be read at byte ` +
        `${location.start}` +
        `${access.changed() ? ': it changed while it was read' : `: ${systemErrorCode(cause) ?? 'it ended early'}`}`,
      {
        side: 'source',
        where: { path: describe, offset: location.start },
        cause,
        hint: access.changed()
          ? 'wait until nothing writes to it any more, then run the command again'
          : 'check the medium that holds the backup',
      },
    );

  return {
    describe,
    format: 'tar',
    bytes: access.size,
    async scan(visit, options = {}) {
      if (index !== undefined) return index.replay(visit);
      const place: { copy: number | undefined } = { copy: undefined };
      let entry: Entry | undefined;
      problems = await scanTar(
        access,
        (member) => {
          entry ??= entryOf(member, place);
          place.copy = copies === undefined ? undefined : copyOf(member, copies);
          indexWriter?.add(entry);
          visit(entry);
        },
        options,
      );
      copies?.end();
      // Further scans look for what links point to.
      copies = undefined;
      return problems;
    },
    read: (location, from = 0, ring) => readLocation(access, location, from, ring, changed),
    readSmall(location) {
      const copy = location.copy === undefined ? undefined : readCopy(location.copy, location.size);
      if (copy !== undefined) return copy;
      const bytes = Buffer.alloc(location.size);
      try {
        for (const run of runsOf(location)) {
          if (readFullySync(access, bytes, run.at, run.size, run.start) < run.size) throw changed(location);
        }
      } catch (error) {
        throw error instanceof RegtarError ? error : changed(location, error);
      }
      return bytes;
    },
    file: () => undefined,
    changed: () => access.changed(),
    // The holes of a sparse member lie nowhere.
    ranges: (location) => (location.runs === undefined ? access.ranges?.(location.start, location.size) : undefined),
    ...(indexWriter && { saveIndex: () => indexWriter.finish(problems) }),
    async close() {
      indexWriter?.discard();
      index?.close();
      access.close();
    },
  };
}

const dataEnd = Buffer.from('/data');
const openingBrace = 123;

/** Copies what is probably a manifest or a config: a small blob that begins like JSON. */
function copyOf(member: Member, copies: Copies): number | undefined {
  const { size, pathEnd, pathBuffer } = member;
  if (
    member.kind !== 'file' ||
    size === 0 ||
    size > longestCopyBytes ||
    pathEnd < dataEnd.length ||
    member.runs !== undefined
  )
    return undefined;
  for (let back = 1; back <= dataEnd.length; back++)
    if (pathBuffer[pathEnd - back] !== dataEnd[dataEnd.length - back]) return undefined;
  return member.firstByte === openingBrace ? copies.add(size, (page, at) => member.copyBody(page, at)) : undefined;
}

async function* readLocation(
  access: RandomAccess,
  location: Location,
  from: number,
  ring: Ring | undefined,
  changed: (location: Location, cause?: unknown) => RegtarError,
): Body & AsyncGenerator<Uint8Array> {
  let sent = from;
  try {
    const pieces = readRuns(location, from, ring, (start, size, into) => readRange(access, start, size, into));
    for await (const chunk of pieces) {
      sent += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    throw systemErrorCode(cause) === undefined ? cause : changed(location, cause);
  }
  if (sent < location.size) throw changed(location);
}
