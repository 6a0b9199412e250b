import type { CopyEvent } from '../copy/events.ts';
import type { Context } from './context.ts';
import { createMeter } from './progress/meter.ts';
import { createBars, createLines, type ProgressView } from './progress/views.ts';

/** Follows a copy on standard error. */
export interface Progress {
  onEvent(event: CopyEvent): void;
  stop(): void;
}

/** Between two looks at the clock, in milliseconds. */
const pause = 500;

/** A bar where standard error is a terminal, lines where it is not, events where a wrapper asked for them. */
export async function startProgress(context: Context): Promise<Progress> {
  const { events } = context;
  if (!context.progress && events === undefined) return { onEvent: () => undefined, stop: () => undefined };
  const meter = createMeter();
  const view = await createView(context);
  const copyEvents = events === undefined ? undefined : (await import('./progress/event-view.ts')).writeCopyEvent;
  const look = (): void => {
    meter.sample(performance.now() / 1000);
    view.show(meter.reading());
  };
  const timer = setInterval(look, pause);
  timer.unref();
  return {
    onEvent(event) {
      meter.follow(event);
      if (events !== undefined) copyEvents?.(events, event);
      if (event.type === 'start') look();
    },
    stop() {
      clearInterval(timer);
      view.stop();
    },
  };
}

async function createView({ events, output }: Context): Promise<ProgressView> {
  if (events !== undefined) return (await import('./progress/event-view.ts')).createEventView(events);
  const isScreen = process.stderr.isTTY === true && process.env['TERM'] !== 'dumb';
  return isScreen ? createBars(output, process.stderr) : createLines(output);
}

/** Follows a single pass over bytes. */
export interface ByteProgress {
  start(bytes: number): void;
  add(bytes: number): void;
  stop(): void;
}

/** Progress of work that is counted in bytes and not in images. */
export async function startByteProgress(context: Context): Promise<ByteProgress> {
  const progress = await startProgress(context);
  return {
    start: (bytes) => progress.onEvent({ type: 'start', images: 0, blobs: 0, bytes }),
    add: (bytes) => progress.onEvent({ type: 'bytes', bytes }),
    stop: () => progress.stop(),
  };
}
