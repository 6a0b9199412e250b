import { RegtarError, systemErrorCode } from '../errors.ts';
import type { Body } from '../io/body.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { readRange } from '../io/read-range.ts';
import { createRing, type Ring } from '../io/ring.ts';
import { scanTar, type Member } from '../tar/scan.ts';
import type { Backup, Entry, Location } from './backup.ts';

/** A plain tar that can be sought: nothing is unpacked, every byte is read where it lies. */
export function openTarFile(access: RandomAccess, describe: string): Backup {
  const changed = (location: Location, cause?: unknown): RegtarError =>
    new RegtarError(access.changed() ? 'SOURCE_CHANGED' : 'SOURCE_UNREADABLE', `${describe} could not be read at byte ${location.start}${access.changed() ? ': it changed while it was read' : `: ${systemErrorCode(cause) ?? 'it ended early'}`}`, {
      side: 'source',
      where: { path: describe, offset: location.start },
      cause,
      hint: access.changed() ? 'wait until nothing writes to it any more, then run the command again' : 'check the medium that holds the backup',
    });

  return {
    describe,
    format: 'tar',
    bytes: access.size,
    async scan(visit, options = {}) {
      let entry: Entry | undefined;
      return scanTar(access, (member) => visit((entry ??= entryOf(member))), options);
    },
    read: (location, from = 0, ring) => readLocation(access, location, from, ring, changed),
    readSmall(location) {
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
    // The holes of a sparse member lie nowhere.
    ranges: (location) => (location.runs === undefined ? access.ranges?.(location.start, location.size) : undefined),
    close: async () => access.close(),
  };
}

/** The scan fills the same member again and again, so one entry passes on whatever it holds. */
function entryOf(member: Member): Entry {
  return {
    get path() {
      return member.path;
    },
    get pathBytes() {
      return member.pathEnd > 0 ? member : undefined;
    },
    get kind() {
      return member.kind;
    },
    get target() {
      return member.target;
    },
    get modified() {
      return member.modified;
    },
    get location() {
      return member.runs === undefined ? { size: member.size, start: member.start } : { size: member.size, start: member.start, runs: member.runs };
    },
    get bytes() {
      return member.bytes;
    },
    get text() {
      return member.text;
    },
  };
}

function runsOf(location: Location): NonNullable<Location['runs']> {
  return location.runs ?? [{ at: 0, start: location.start, size: location.size }];
}

async function* readLocation(access: RandomAccess, location: Location, from: number, ring: Ring | undefined, changed: (location: Location, cause?: unknown) => RegtarError): Body & AsyncGenerator<Uint8Array> {
  let sent = from;
  try {
    const pieces = location.runs === undefined ? readRange(access, location.start + from, location.size - from, ring) : readSparse(access, location, from, ring);
    for await (const chunk of pieces) {
      sent += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    throw systemErrorCode(cause) === undefined ? cause : changed(location, cause);
  }
  if (sent < location.size) throw changed(location);
}

async function* readSparse(access: RandomAccess, location: Location, from: number, ring: Ring = createRing()): AsyncGenerator<Uint8Array> {
  let position = from;
  for (const run of runsOf(location)) {
    const end = run.at + run.size;
    if (end <= position) continue;
    if (run.at > position) yield* zeros(run.at - position, ring);
    const skip = Math.max(0, position - run.at);
    yield* readRange(access, run.start + skip, run.size - skip, ring);
    position = end;
  }
  if (position < location.size) yield* zeros(location.size - position, ring);
}

async function* zeros(length: number, ring: Ring): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0; ) {
    const chunk = ring.take(left).fill(0);
    left -= chunk.length;
    yield chunk;
  }
}
