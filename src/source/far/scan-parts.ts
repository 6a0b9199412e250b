import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Problem } from '../../errors.ts';
import { NotAtHand } from '../../io/random-access.ts';
import { forEachParallel } from '../../io/parallel.ts';
import { membersPerStep, Scanner, type Member } from '../../tar/scan.ts';
import type { Entry } from '../backup.ts';
import { createEntryLog, replayEntries, type EntryLog } from '../entry-log.ts';
import { entryOf } from '../member-entry.ts';
import type { FarObject } from './far-object.ts';
import { openFarWindow, type FarWindow } from './far-window.ts';
import { guessHeaders, type GuessOptions } from './guess-headers.ts';

/** What a scan in parts looks at, and where it says what it met. */
export interface ScanPartsOptions extends GuessOptions {
  /** How many bytes of a body are looked at; may look at its first byte. */
  readonly bytesWanted: (member: Member) => number;
  /** Called once for each member of any part before it counts, in no order, and perhaps for some that never do. */
  readonly meet: (member: Member) => void;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** What was seen from a guessed header on. */
interface SeenPart {
  readonly log: EntryLog;
  /** Where the next member begins; undefined where it was not part of its own. */
  readonly end: number | undefined;
}

/**
 * Scans a tar elsewhere. Headers depend on each other, so one scan waits for one answer after the other; several begin
 * at guessed places and keep what they see. What one of them saw counts only when the scan from the beginning comes
 * exactly to where it began;
 * otherwise that scan goes on itself. So the members, their order and the problems are those of a scan from one end to
 * the other.
 */
export async function scanParts(
  object: FarObject,
  visit: (entry: Entry) => void,
  options: ScanPartsOptions,
): Promise<readonly Problem[]> {
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  // Each request under way listens to it.
  setMaxListeners(0, signal);
  const { bytesWanted, meet } = options;
  const starts = await guessHeaders(object, { ...options, signal });
  const parts = startParts(object, starts, { ...options, signal });
  const window = openFarWindow(object, signal);
  let entry: Entry | undefined;
  const scanner = new Scanner(
    window,
    (member) => {
      meet(member);
      visit((entry ??= entryOf(member, noCopy)));
    },
    { bytesWanted },
  );
  try {
    for (const [index, part] of parts.entries()) {
      const hasMore = await walk(scanner, window, { end: starts[index], onProgress: options.onProgress });
      if (!hasMore) return scanner.problems;
      if (scanner.position !== starts[index] || !scanner.isBetweenMembers) continue;
      const { log, end } = await part;
      if (end === undefined) continue;
      replayEntries(log.pieces(), visit);
      scanner.position = end;
      options.onProgress?.(end);
      await nextTurn();
      options.signal?.throwIfAborted();
    }
    await walk(scanner, window, { onProgress: options.onProgress });
    return scanner.problems;
  } finally {
    stop.abort();
  }
}

/** Begins to scan all parts, as many at once as there are connections beside the one of the scan from the beginning. */
function startParts(
  object: FarObject,
  starts: readonly number[],
  options: ScanPartsOptions,
): readonly Promise<SeenPart>[] {
  const done: ((part: SeenPart | PromiseLike<SeenPart>) => void)[] = [];
  const parts = starts.map((_, index) => new Promise<SeenPart>((resolve) => (done[index] = resolve)));
  // A rejection is for a caller that waits for the part, if there is one.
  for (const part of parts) part.catch(() => undefined);
  void forEachParallel([...starts.keys()], options.connections - 1, async (index) => {
    const part = seePart(object, starts[index] ?? 0, starts[index + 1], options);
    done[index]?.(part);
    await part.catch(() => undefined);
  });
  return parts;
}

async function seePart(
  object: FarObject,
  from: number,
  end: number | undefined,
  { bytesWanted, meet, signal }: ScanPartsOptions,
): Promise<SeenPart> {
  const log = createEntryLog();
  const window = openFarWindow(object, signal);
  let entry: Entry | undefined;
  const scanner = new Scanner(
    window,
    (member) => {
      meet(member);
      log.add((entry ??= entryOf(member, noCopy)));
    },
    { from, bytesWanted, plainOnly: true },
  );
  await walk(scanner, window, { end });
  const isWhole = scanner.isBetweenMembers && !scanner.isDamaged;
  return { log, end: isWhole ? scanner.position : undefined };
}

const noCopy = { copy: undefined } as const;
const millisecondsPerTurn = 20;

/** Goes on to `end` or the archive's, and brings what is missing on the way. @returns whether there may be more */
async function walk(
  scanner: Scanner,
  window: FarWindow,
  { end, onProgress }: { readonly end?: number | undefined; readonly onProgress?: ScanPartsOptions['onProgress'] },
): Promise<boolean> {
  let turn = Date.now();
  while (end === undefined || scanner.position < end) {
    try {
      if (!scanner.step(membersPerStep, end)) return false;
    } catch (error) {
      if (!(error instanceof NotAtHand)) throw error;
      await window.bring(error);
    }
    if (Date.now() - turn < millisecondsPerTurn) continue;
    onProgress?.(scanner.position);
    await nextTurn();
    turn = Date.now();
  }
  return true;
}
