import { createRing, type Ring } from '../io/ring.ts';
import type { Location } from './backup.ts';

/** The data of a file in an archive: one run, or those of a sparse member. */
export function runsOf(location: Location): NonNullable<Location['runs']> {
  return location.runs ?? [{ at: 0, start: location.start, size: location.size }];
}

/**
 * Streams a file of an archive, from its byte `from` on; the holes of a sparse one as zeros.
 * @param readStretch streams bytes of the archive
 */
export async function* readRuns(
  location: Location,
  from: number,
  ring: Ring | undefined,
  readStretch: (start: number, size: number, ring: Ring | undefined) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (location.runs === undefined) {
    yield* readStretch(location.start + from, location.size - from, ring);
    return;
  }
  const buffers = ring ?? createRing();
  let position = from;
  for (const run of location.runs) {
    const end = run.at + run.size;
    if (end <= position) continue;
    if (run.at > position) yield* zeros(run.at - position, buffers);
    const skip = Math.max(0, position - run.at);
    yield* readStretch(run.start + skip, run.size - skip, buffers);
    position = end;
  }
  if (position < location.size) yield* zeros(location.size - position, buffers);
}

async function* zeros(length: number, ring: Ring): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0;) {
    const chunk = ring.take(left).fill(0);
    left -= chunk.length;
    yield chunk;
  }
}
