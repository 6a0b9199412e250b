import { RegtarError } from '../errors.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { blockBytes } from './header.ts';

/**
 * Read at once after a jump over a body: most often the next header, and a few links behind it, are all that is there.
 */
const smallestWindow = 4 * 1024;
const largestWindow = 32 * 1024;

/** Timing costs little, but a read that is served from memory costs little too. */
const loadsPerSample = 4;
const samplesPerAnswer = 64;
/** Out of memory a read takes 2 to 10 µs, from the fastest of disks 50. */
const slowMilliseconds = 0.03;

/**
 * A moving window over an archive: reads ahead where headers follow each other closely, little after a jump over a
 * body.
 * Larger windows read more of what is jumped over than they save in calls: docs/decisions/0001 has the figures.
 */
export class Window {
  readonly buffer: Buffer;
  /** The same memory in 32-bit words. */
  readonly words: Int32Array;
  private readonly access: RandomAccess;
  private start = 0;
  private end = 0;
  private ahead = smallestWindow;
  private loads = 0;
  private timed = 0;
  private slow = 0;

  constructor(access: RandomAccess) {
    const memory = new ArrayBuffer(largestWindow);
    this.access = access;
    this.buffer = Buffer.from(memory);
    this.words = new Int32Array(memory);
  }

  /** @returns the index in `buffer` of what is held already; undefined where it is not */
  peek(position: number, length: number): number | undefined {
    return position >= this.start && position + length <= this.end ? this.indexOf(position) : undefined;
  }

  /**
   * Makes `length` bytes at `position` available.
   * @returns their index in `buffer`, a multiple of 512 away from `position`'s block; undefined where the archive ends
   * before
   */
  load(position: number, length: number): number | undefined {
    if (position >= this.start && position + length <= this.end) return this.indexOf(position);
    const { access } = this;
    if (position + length > access.size) return undefined;
    const atHand = access.atHand?.(position, length) ?? largestWindow;
    const isClose = position >= this.start && position <= this.end;
    this.ahead = isClose ? Math.min(this.ahead * 2, largestWindow) : smallestWindow;
    this.start = position;
    this.end = position;
    const started = this.loads++ % loadsPerSample === 0 ? performance.now() : 0;
    const filled = readFullySync(
      access,
      this.buffer,
      0,
      Math.min(Math.max(Math.min(this.ahead, atHand), length), access.size - position),
      position,
    );
    if (started > 0) {
      this.timed++;
      if (performance.now() - started > slowMilliseconds) this.slow++;
    }
    // The size was asked at opening: fewer bytes now mean that the file shrank since.
    if (filled < length) {
      throw new RegtarError('SOURCE_CHANGED', `the backup ended at byte ${position + filled} while it was read`, {
        where: { offset: position + filled },
        hint: 'wait until nothing writes to it any more, then run the command again',
      });
    }
    this.end = position + filled;
    return 0;
  }

  /**
   * Whether the medium keeps the scan waiting, by the reads since the last answer.
   * @returns undefined while too few were timed
   */
  takeSlowness(): boolean | undefined {
    if (this.timed < samplesPerAnswer) return undefined;
    const isSlow = this.slow * 4 > this.timed;
    this.timed = 0;
    this.slow = 0;
    return isSlow;
  }

  /**
   * A difference of numbers above 2^31 is a floating-point number to V8, and as an index makes every loop behind it
   * slow: this one always fits.
   */
  private indexOf(position: number): number {
    return (position - this.start) | 0;
  }
}

/** The largest piece that a window can hold. */
export const windowBytes = largestWindow - (largestWindow % blockBytes);
