import type { FileRange } from '../io/random-access.ts';

/** What a reader is told at its start. */
export interface ScanAheadData {
  /** The files that hold the archive, in order. */
  readonly ranges: readonly FileRange[];
  readonly segmentBytes: number;
  /**
   * How many segments a reader may be ahead of the scan, so that what it reads is still in memory when the scan comes.
   */
  readonly segmentsAhead: number;
  /** Two Int32, see `slots`. */
  readonly shared: SharedArrayBuffer;
}

/**
 * `next`: the first segment that is not taken. `scanned`: the segment in which the scan is, -1 when it has ended.
 */
export const slots = { next: 0, scanned: 1 } as const;

/**
 * What a worker thread runs: it hops from header to header of a segment and keeps nothing, so that the blocks are in
 * the system's memory when the scan comes. It starts from this function's own text: then it needs no file beside the
 * program, wherever and however that was bundled. So it uses nothing from outside itself, and types only of what is
 * imported.
 */
export function scanAheadWorker(): void {
  const threads = process.getBuiltinModule('node:worker_threads');
  const { openSync, readSync, closeSync } = process.getBuiltinModule('node:fs');
  const { ranges, segmentBytes, segmentsAhead, shared } = threads.workerData as ScanAheadData;
  const state = new Int32Array(shared);
  const next = 0;
  const scanned = 1;
  const blockBytes = 512;
  const windowBytes = 32 * 1024;
  const jumpBytes = 4 * 1024;
  /**
   * A segment that begins inside a body larger than this is left to the scan: finding its end would cost more than it
   * saves.
   */
  const searchedBytes = 48 * 1024 * 1024;
  const buffer = Buffer.allocUnsafeSlow(256 * 1024);
  const descriptors = ranges.map(({ path }) => openSync(path, 'r'));
  const size = ranges.reduce((sum, range) => sum + range.size, 0);
  let start = 0;
  let filled = 0;

  const load = (position: number, length: number): void => {
    start = position;
    filled = 0;
    let inside = position;
    for (const [index, range] of ranges.entries()) {
      if (inside >= range.size) inside -= range.size;
      else {
        filled = readSync(
          descriptors[index] as number,
          buffer,
          0,
          Math.min(length, range.size - inside),
          range.start + inside,
        );
        return;
      }
    }
  };

  const octal = (at: number, length: number): number => {
    let value = 0;
    for (let index = at; index < at + length; index++) {
      const byte = buffer[index] as number;
      if (byte >= 48 && byte <= 55) value = value * 8 + byte - 48;
      else if (byte !== 32 || value !== 0) break;
    }
    return value;
  };

  const isHeader = (at: number): boolean => {
    // ustar's and GNU's magic; older tars are read without readers ahead.
    if (buffer[at + 257] !== 117 || buffer[at + 261] !== 114) return false;
    let sum = 256;
    for (let index = at; index < at + blockBytes; index++) sum += buffer[index] as number;
    for (let index = at + 148; index < at + 156; index++) sum -= buffer[index] as number;
    return sum === octal(at + 148, 8);
  };

  const sizeAt = (at: number): number => {
    if ((buffer[at + 124] as number) < 128) return octal(at + 124, 12);
    let value = 0;
    for (let index = at + 125; index < at + 136; index++) value = value * 256 + (buffer[index] as number);
    return value;
  };

  /** Whether the scan has passed this segment, or ended. */
  const isPassed = (segment: number): boolean => {
    const current = Atomics.load(state, scanned);
    return current < 0 || current > segment;
  };

  /** @returns the first header at or behind `position`, or -1 */
  const find = (position: number, segment: number): number => {
    for (
      let from = position;
      from < Math.min(position + searchedBytes, size) && !isPassed(segment);
      from += buffer.length
    ) {
      load(from, buffer.length);
      for (let at = 0; at + blockBytes <= filled; at += blockBytes) if (isHeader(at)) return from + at;
    }
    return -1;
  };

  const walk = (segment: number): void => {
    const end = Math.min((segment + 1) * segmentBytes, size);
    let position = find(segment * segmentBytes, segment);
    let ahead = jumpBytes;
    for (let hops = 0; position >= 0 && position < end; hops++) {
      if (hops % 64 === 0 && isPassed(segment)) return;
      if (position + blockBytes > start + filled || position < start) {
        ahead = position <= start + filled ? Math.min(ahead * 2, windowBytes) : jumpBytes;
        load(position, ahead);
        if (filled < blockBytes) return;
      }
      const at = position - start;
      if (!isHeader(at)) return;
      // Links and folders have no body, even if their size says so.
      const typeFlag = buffer[at + 156] as number;
      position += blockBytes + (typeFlag >= 49 && typeFlag <= 54 ? 0 : Math.ceil(sizeAt(at) / blockBytes) * blockBytes);
    }
  };

  try {
    for (
      let segment = Atomics.add(state, next, 1);
      segment * segmentBytes < size && Atomics.load(state, scanned) >= 0;
      segment = Atomics.add(state, next, 1)
    ) {
      for (
        let current = Atomics.load(state, scanned);
        current >= 0 && segment > current + segmentsAhead;
        current = Atomics.load(state, scanned)
      )
        Atomics.wait(state, scanned, current, 100);
      if (!isPassed(segment - 1)) walk(segment);
    }
  } catch {
    // A sector that cannot be read: the scan comes to it and has the words for it.
  } finally {
    descriptors.forEach((descriptor) => closeSync(descriptor));
  }
}
