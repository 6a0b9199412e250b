import type { CopyEvent } from '../../copy/events.ts';
import { formatImageReference, imageKey } from '../../oci/reference.ts';
import { createTimeLeft } from './time-left.ts';

/** How far a run is; sizes are in bytes. */
export interface Reading {
  readonly images: {
    readonly all: number;
    readonly done: number;
    readonly present: number;
    readonly skipped: number;
    readonly failed: number;
  };
  readonly bytes: { readonly all: number; readonly done: number };
  /** What travelled as a name or was there already, counted wherever an image needs it. */
  readonly spared: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft: number | undefined;
  /** Names of images under way, longest under way first. */
  readonly underWay: readonly string[];
}

/** Adds up what happens into what a bar shows. */
export interface Meter {
  follow(event: CopyEvent): void;
  /** Takes a look at the clock; call it regularly. */
  sample(seconds: number): void;
  reading(): Reading;
}

/** Adds up what happens. */
export function createMeter(): Meter {
  const images = { all: 0, done: 0, present: 0, skipped: 0, failed: 0 };
  const timeLeft = createTimeLeft();
  const underWay = new Map<string, string>();
  let all = 0;
  /** Of blobs that are settled, each once: written, mounted or present. */
  let settled = 0;
  /** Of blobs under way. */
  let sending = 0;
  let spared = 0;
  const done = (): number => Math.max(0, Math.min(settled + sending, all));
  return {
    follow(event) {
      switch (event.type) {
        case 'start':
          images.all = event.images;
          all = event.bytes;
          break;
        case 'image-start':
          underWay.set(imageKey(event), formatImageReference(event));
          break;
        case 'image':
          if (event.isRevised === true) {
            images.failed++;
            break;
          }
          images.done++;
          if (event.result.status !== 'copied') images[event.result.status]++;
          underWay.delete(imageKey(event.result));
          break;
        case 'bytes':
          sending += event.bytes;
          break;
        case 'blob':
          if (event.isFirst) settled += event.size;
          if (event.outcome === 'written' || event.outcome === 'placed') sending = Math.max(0, sending - event.size);
          else if (event.outcome !== 'server-copied') spared += event.size;
          break;
      }
    },
    sample: (seconds) => timeLeft.sample(seconds, done(), all - done()),
    reading: () => ({
      images: { ...images },
      bytes: { all, done: done() },
      spared,
      bytesPerSecond: timeLeft.rate(),
      secondsLeft: timeLeft.secondsLeft(),
      underWay: [...underWay.values()],
    }),
  };
}
