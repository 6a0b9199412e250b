import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Problem } from '../../errors.ts';
import { createPauses } from '../../io/pauses.ts';
import { NotAtHand } from '../../io/random-access.ts';
import { membersPerStep, Scanner, type Member } from '../../tar/scan.ts';
import type { Entry } from '../backup.ts';
import { createEntryLog, replayEntries, type EntryLog } from '../entry-log.ts';
import { entryOf } from '../member-entry.ts';
import type { FarObject } from './far-object.ts';
import { openFarWindow, type FarWindow } from './far-window.ts';
import { guessHeader } from './guess-headers.ts';
import { createPartList, type Part, type PartList } from './part-list.ts';

/** What a scan in parts looks at, and where it says what it met. */
export interface ScanPartsOptions {
  /** Scans side by side, beside the one from the beginning. */
  readonly connections: number;
  /** No part is shorter. @defaultValue a 128th of the archive, and 8 MiB at least */
  readonly partBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
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

const shortestPart = 8 * 1024 * 1024;
const mostParts = 128;
/** For all that looks for headers: a share of the archive, and enough for a small one. */
const probedShare = 1 / 150;
const leastProbedBytes = 1024 * 1024;

/**
 * Scans a tar elsewhere. Headers depend on each other, so one scan waits for one answer after the other; several begin
 * at guessed places and keep what they see. What one of them saw counts only when the scan from the beginning comes
 * exactly to where it began; otherwise that scan goes on itself. So the members, their order and the problems are those
 * of a scan from one end to the other.
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
  const { onProgress } = options;
  const parts = createPartList(
    object.size,
    options.partBytes ?? Math.max(shortestPart, Math.ceil(object.size / mostParts)),
  );
  const seen = startHelpers(object, parts, { ...options, signal });
  const window = openFarWindow(object, signal);
  const scanner = scanInto(window, visit, options);
  const endOf = (): number | undefined => parts.partFrom(scanner.position)?.start;
  try {
    while (await walk(scanner, window, { part: parts.first, endOf, onProgress })) {
      const part = parts.partFrom(scanner.position);
      // What began in the middle of a member is passed over.
      if (part === undefined || part.start !== scanner.position) continue;
      const { log, end } = (scanner.isBetweenMembers ? await seen.get(part) : undefined) ?? {};
      parts.drop(part);
      if (log === undefined || end === undefined) continue;
      replayEntries(log.pieces(), visit);
      parts.first.position = scanner.position = end;
      onProgress?.(end);
      await nextTurn();
      options.signal?.throwIfAborted();
    }
    return scanner.problems;
  } finally {
    stop.abort();
  }
}

/** Begins scans wherever much is left, as many at once as there are connections. */
function startHelpers(
  object: FarObject,
  parts: PartList,
  options: ScanPartsOptions,
): ReadonlyMap<Part, Promise<SeenPart>> {
  const seen = new Map<Part, Promise<SeenPart>>();
  const budget = { left: Math.max(object.size * probedShare, leastProbedBytes) };
  const help = async (): Promise<void> => {
    for (let gap = parts.takeGap(); gap !== undefined && budget.left > 0; gap = parts.takeGap()) {
      // What fails here fails for the scan from the beginning, too, which tells it.
      const start = await guessHeader(object, gap, budget, options.signal).catch(() => undefined);
      const part = gap.settle(start);
      if (part === undefined) continue;
      const scan = seePart(object, part, parts, options);
      seen.set(part, scan);
      await scan.catch(() => undefined);
    }
  };
  for (let helper = 0; helper < options.connections; helper++) void help();
  return seen;
}

async function seePart(object: FarObject, part: Part, parts: PartList, options: ScanPartsOptions): Promise<SeenPart> {
  const log = createEntryLog();
  const window = openFarWindow(object, options.signal);
  const scanner = scanInto(window, (entry) => log.add(entry), options, { from: part.start, plainOnly: true });
  await walk(scanner, window, { part, endOf: () => parts.partFrom(part.start + 1)?.start });
  const isWhole = scanner.isBetweenMembers && !scanner.isDamaged;
  return { log, end: isWhole ? scanner.position : undefined };
}

/** A scan that has not begun. @param take always gets the same object */
function scanInto(
  window: FarWindow,
  take: (entry: Entry) => void,
  { bytesWanted, meet }: ScanPartsOptions,
  section: { readonly from?: number; readonly plainOnly?: boolean } = {},
): Scanner {
  let entry: Entry | undefined;
  const visit = (member: Member): void => {
    meet(member);
    take((entry ??= entryOf(member, noCopy)));
  };
  return new Scanner(window, visit, { bytesWanted, ...section });
}

const noCopy = { copy: undefined } as const;

/** How a scan goes on. */
interface Walk {
  readonly part: Part;
  /** Where it ends, which others may bring nearer; undefined for the end of the archive. */
  readonly endOf: () => number | undefined;
  readonly onProgress?: ScanPartsOptions['onProgress'];
}

/** Goes on to the end, and brings what is missing on the way. @returns whether there may be more */
async function walk(scanner: Scanner, window: FarWindow, { part, endOf, onProgress }: Walk): Promise<boolean> {
  const pause = createPauses();
  for (let end = endOf(); end === undefined || scanner.position < end; end = endOf()) {
    try {
      if (!scanner.step(membersPerStep, end)) return false;
    } catch (error) {
      if (!(error instanceof NotAtHand)) throw error;
      part.position = Math.max(part.position, scanner.position);
      await window.bring(error);
    }
    part.position = Math.max(part.position, scanner.position);
    const turn = pause();
    if (turn === undefined) continue;
    onProgress?.(scanner.position);
    await turn;
  }
  return true;
}
