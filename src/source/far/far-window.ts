import { NotAtHand, type RandomAccess } from '../../io/random-access.ts';
import type { FarObject } from './far-object.ts';

/**
 * A moving window over bytes elsewhere, for one scan: it throws `NotAtHand` where it does not hold them, and brings
 * them when asked.
 */
export interface FarWindow extends RandomAccess {
  bring(missing: NotAtHand): Promise<void>;
}

/** Brought after a jump: a header with a long name, a manifest behind it, and the next header, mostly. */
const jumpBytes = 10 * 1024;
const longestBring = 1024 * 1024;
/** From here on headers follow each other closely, so the next piece is asked for while this one is scanned. */
const readAheadBytes = 256 * 1024;
/** Behind what was asked for: most often the next header. */
const slackBytes = 4 * 1024;
/** A step may look at several pieces: a long extended header, and what is in front of it and behind it. */
const keptBytes = 4 * 1024 * 1024;

/** @param signal ends what is under way */
export function openFarWindow(object: FarObject, signal: AbortSignal | undefined): FarWindow {
  /** One behind the other, without gaps. */
  let pieces: { readonly start: number; readonly bytes: Uint8Array }[] = [{ start: 0, bytes: object.start }];
  let start = 0;
  let end = object.start.length;
  let ahead = jumpBytes / 2;
  let next: { readonly start: number; readonly bytes: Promise<Uint8Array> } | undefined;

  const atHand = (position: number, length: number): number => {
    // The scan looks back there from anywhere, to know another archive by its first member.
    if (position + length <= object.start.length) return object.start.length - position;
    if (position < start || position + length > end) throw new NotAtHand(position, length);
    return end - position;
  };
  const readSync = (buffer: Uint8Array, offset: number, length: number, position: number): number => {
    const wanted = Math.min(length, object.size - position);
    if (wanted <= 0) return 0;
    atHand(position, wanted);
    if (position + wanted <= object.start.length) {
      buffer.set(object.start.subarray(position, position + wanted), offset);
      return wanted;
    }
    let done = 0;
    for (const { start: from, bytes } of pieces) {
      const skip = position + done - from;
      if (skip < 0 || skip >= bytes.length || done === wanted) continue;
      const part = bytes.subarray(skip, skip + wanted - done);
      buffer.set(part, offset + done);
      done += part.length;
    }
    return done;
  };

  return {
    size: object.size,
    readSync,
    read: (...place) => Promise.resolve(readSync(...place)),
    atHand,
    async bring({ position, length }) {
      const isClose = position >= start && position <= end;
      // The first piece behind a jump's is as long as that: half of the time the next body begins in it.
      ahead = isClose && end > start ? Math.min(ahead * 2, longestBring) : jumpBytes / 2;
      const from = isClose ? end : position;
      const needed = position + length - from;
      const size = Math.min(Math.max(isClose ? ahead : jumpBytes, needed + slackBytes), object.size - from);
      const awaited = next?.start === from ? next.bytes : undefined;
      next = undefined;
      const bytes = await (awaited ?? object.fetch(from, size, signal));
      if (!isClose) {
        pieces = [];
        start = from;
      }
      pieces.push({ start: from, bytes });
      end = from + bytes.length;
      for (
        let first = pieces[0];
        first !== undefined && end - start - first.bytes.length > keptBytes;
        first = pieces[0]
      ) {
        start += first.bytes.length;
        pieces.shift();
      }
      if (ahead >= readAheadBytes && end < object.size) {
        next = { start: end, bytes: object.fetch(end, Math.min(longestBring, object.size - end), signal) };
        // A later request sees the failure, if there is one.
        next.bytes.catch(() => undefined);
      }
    },
    changed: () => false,
    close: () => undefined,
  };
}
