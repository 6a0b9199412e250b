import { RegtarError } from '../errors.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { blockBytes } from './header.ts';

const smallestWindow = 8 * 1024;
const largestWindow = 128 * 1024;

/** A moving window over an archive: reads ahead where headers follow each other closely, little after a jump over a body. */
export interface Window {
  readonly buffer: Buffer;
  readonly words: Int32Array;
  /**
   * Makes `length` bytes at `position` available.
   * @returns their index in `buffer`, a multiple of 512 away from `position`'s block; undefined where the archive ends before
   */
  load(position: number, length: number): number | undefined;
}

export function openWindow(access: RandomAccess): Window {
  const memory = new ArrayBuffer(largestWindow);
  const buffer = Buffer.from(memory);
  const words = new Int32Array(memory);
  let start = 0;
  let filled = 0;
  let ahead = smallestWindow;

  return {
    buffer,
    words,
    load(position, length) {
      if (position >= start && position + length <= start + filled) return position - start;
      if (position + length > access.size) return undefined;
      const isClose = position >= start && position <= start + filled;
      ahead = isClose ? Math.min(ahead * 2, largestWindow) : Math.max(smallestWindow, ahead / 2);
      start = position;
      filled = 0;
      filled = readFullySync(access, buffer, 0, Math.min(Math.max(ahead, length), access.size - position), position);
      // The size was asked at opening: fewer bytes now mean that the file shrank since.
      if (filled < length) {
        throw new RegtarError('SOURCE_CHANGED', `the backup ended at byte ${position + filled} while it was read`, { side: 'source', where: { offset: position + filled }, hint: 'wait until nothing writes to it any more, then run the command again' });
      }
      return 0;
    },
  };
}

/** The largest piece that a window can hold. */
export const windowBytes = largestWindow - (largestWindow % blockBytes);
