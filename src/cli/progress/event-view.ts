import type { CopyEvent } from '../../copy/events.ts';
import { resultJson } from '../render/result-json.ts';
import type { EventWriter } from './event-writer.ts';
import type { Reading } from './meter.ts';
import type { ProgressView } from './views.ts';

/** Between two `progress` events, in milliseconds. */
const pause = 1000;

/** Tells a wrapper what happens. */
export function writeCopyEvent(events: EventWriter, event: CopyEvent): void {
  switch (event.type) {
    case 'start':
      return events.write('start', { images: event.images, blobs: event.blobs, bytes: event.bytes });
    case 'image-start':
      return events.write('image-start', {
        repository: event.repository,
        ...(event.tag !== undefined && { tag: event.tag }),
        digest: event.digest,
      });
    case 'image':
      return events.write('image', resultJson(event.result));
    case 'blob':
      return events.write('blob', {
        digest: event.digest,
        size: event.size,
        outcome: event.outcome,
        first: event.isFirst,
      });
    case 'bytes':
      // Thousands in a second: `progress` adds them up.
      return undefined;
  }
}

/** Progress as `progress` events, at most one a second. */
export function createEventView(events: EventWriter): ProgressView {
  let last = -Infinity;
  return {
    show({ images, bytes, spared, bytesPerSecond, secondsLeft }) {
      if (performance.now() - last < pause) return;
      last = performance.now();
      events.write('progress', fieldsOf({ images, bytes, spared, bytesPerSecond, secondsLeft }));
    },
    stop: () => undefined,
  };
}

function fieldsOf({
  images,
  bytes,
  spared,
  bytesPerSecond,
  secondsLeft,
}: Omit<Reading, 'underWay'>): Record<string, unknown> {
  return {
    images: { ...images },
    bytes: { ...bytes, spared },
    bytesPerSecond: Math.round(bytesPerSecond),
    ...(secondsLeft !== undefined && { secondsLeft: Math.round(secondsLeft) }),
  };
}
