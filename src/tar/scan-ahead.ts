import type { FileRange } from '../io/random-access.ts';
import { startWorker } from '../io/start-worker.ts';
import { scanAheadWorker, slots, type ScanAheadData } from './scan-ahead-worker.ts';

/**
 * Readers that go ahead of a scan on a slow medium, so that its reads do not wait for each other. They keep nothing and
 * tell nothing:
 * all that they do is to bring blocks into the system's memory, so even if they guess wrong, the scan sees the archive
 * as it is.
 */
export interface ScanAhead {
  /** Tells how far the scan is. */
  moveTo(position: number): void;
  stop(): void;
}

/** More at once gain little on the media that were measured, and each takes 30 to 40 ms of a processor to start. */
const readers = 4;
/**
 * So large that finding a first header, which reads part of a body, is little beside it; so small that there is work
 * for all.
 */
const segmentBytes = 512 * 1024 * 1024;
const segmentsAhead = 8;

/** @param ranges the files that hold the archive @param from where the scan is */
export function startScanAhead(ranges: readonly FileRange[], from: number): ScanAhead {
  const shared = new SharedArrayBuffer(8);
  const state = new Int32Array(shared);
  let segment = Math.floor(from / segmentBytes);
  Atomics.store(state, slots.scanned, segment);
  Atomics.store(state, slots.next, segment + 1);
  const workerData: ScanAheadData = { ranges, segmentBytes, segmentsAhead, shared };
  const workers = Array.from({ length: readers }, () =>
    startWorker(scanAheadWorker, 'regtar scan ahead', { workerData }),
  );
  for (const worker of workers) {
    // A reader that cannot start or ends badly is not a loss.
    worker.on('error', () => undefined);
    worker.unref();
  }
  return {
    moveTo(position) {
      const current = Math.floor(position / segmentBytes);
      if (current === segment) return;
      segment = current;
      Atomics.store(state, slots.scanned, segment);
      Atomics.notify(state, slots.scanned);
    },
    stop() {
      Atomics.store(state, slots.scanned, -1);
      Atomics.notify(state, slots.scanned);
      for (const worker of workers) void worker.terminate();
    },
  };
}
