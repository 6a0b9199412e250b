import type { CopyEvent } from '../copy/events.ts';
import { formatImageReference } from '../oci/reference.ts';
import { formatBytes, formatCount, formatSeconds } from './render/sizes.ts';
import { printable } from './output.ts';

/** Follows a copy on standard error. */
export interface Progress {
  onEvent(event: CopyEvent): void;
  stop(): void;
}

/** Between two lines where no terminal shows a bar, in milliseconds. */
const linePause = 10_000;
/** The rate is that of the last seconds, smoothed, so that the time left does not jump. */
const smoothing = 0.2;

interface State {
  images: number;
  bytes: number;
  doneImages: number;
  /** Of blobs that are settled: written, mounted or present. */
  settledBytes: number;
  /** Of blobs under way. */
  sentBytes: number;
  failed: number;
  present: number;
  readonly inFlight: Set<string>;
}

export async function startProgress(wanted: boolean): Promise<Progress> {
  if (!wanted) return { onEvent: () => undefined, stop: () => undefined };
  const state: State = { images: 0, bytes: 0, doneImages: 0, settledBytes: 0, sentBytes: 0, failed: 0, present: 0, inFlight: new Set() };
  const rate = createRate();
  const view = process.stderr.isTTY ? await createBar() : createLines();
  const timer = setInterval(() => {
    rate.sample(doneBytes(state));
    view.show(state, rate.perSecond());
  }, 500);
  timer.unref();
  return {
    onEvent(event) {
      follow(state, event);
      if (event.type === 'start') view.show(state, 0);
    },
    stop() {
      clearInterval(timer);
      rate.sample(doneBytes(state));
      view.stop(state, rate.perSecond());
    },
  };
}

function follow(state: State, event: CopyEvent): void {
  switch (event.type) {
    case 'start':
      state.images = event.images;
      state.bytes = event.bytes;
      break;
    case 'image-start':
      state.inFlight.add(formatImageReference(event));
      break;
    case 'image':
      state.doneImages++;
      state.inFlight.delete(formatImageReference(event.result));
      if (event.result.status === 'failed') state.failed++;
      if (event.result.status === 'present') state.present++;
      break;
    case 'bytes':
      state.sentBytes += event.bytes;
      break;
    case 'blob':
      state.settledBytes += event.bytes;
      state.sentBytes = Math.max(0, state.sentBytes - event.sent);
      break;
  }
}

function doneBytes(state: State): number {
  return Math.min(state.settledBytes + state.sentBytes, state.bytes);
}

interface View {
  show(state: State, bytesPerSecond: number): void;
  stop(state: State, bytesPerSecond: number): void;
}

async function createBar(): Promise<View> {
  const { SingleBar } = await import('cli-progress');
  const bar = new SingleBar({ format: '{bar} {percent}  {bytes}  {images}  {rate}  {left}  {current}', barsize: 16, barCompleteChar: '#', barIncompleteChar: '-', stream: process.stderr, hideCursor: true, clearOnComplete: true, linewrap: false, fps: 4, emptyOnZero: true });
  let isStarted = false;
  const update = (state: State, bytesPerSecond: number): void => {
    const total = Math.max(state.bytes, 1);
    const fields = {
      percent: `${String(Math.floor((100 * Math.min(doneBytes(state), total)) / total)).padStart(3)} %`,
      bytes: `${formatBytes(doneBytes(state))} of ${formatBytes(state.bytes)}`,
      images: `${formatCount(state.doneImages)}/${formatCount(state.images)}`,
      rate: `${formatBytes(bytesPerSecond)}/s`,
      left: timeLeft(state, bytesPerSecond),
      current: shorten(state),
    };
    if (isStarted) bar.update(Math.min(doneBytes(state), total), fields);
    else bar.start(total, 0, fields);
    isStarted = true;
  };
  return {
    show: update,
    stop(state, bytesPerSecond) {
      update(state, bytesPerSecond);
      bar.stop();
    },
  };
}

function createLines(): View {
  let last = performance.now();
  return {
    show(state, bytesPerSecond) {
      if (performance.now() - last < linePause) return;
      last = performance.now();
      process.stderr.write(`${formatCount(state.doneImages)} of ${formatCount(state.images)} images, ${formatBytes(doneBytes(state))} of ${formatBytes(state.bytes)}, ${formatBytes(bytesPerSecond)}/s, ${timeLeft(state, bytesPerSecond)} left\n`);
    },
    stop: () => undefined,
  };
}

function createRate(): { sample(bytes: number): void; perSecond(): number } {
  let lastBytes = 0;
  let lastTime = performance.now();
  let smoothed: number | undefined;
  return {
    sample(bytes) {
      const now = performance.now();
      const seconds = (now - lastTime) / 1000;
      if (seconds < 0.05) return;
      const current = (bytes - lastBytes) / seconds;
      smoothed = smoothed === undefined ? current : smoothed * (1 - smoothing) + current * smoothing;
      lastBytes = bytes;
      lastTime = now;
    },
    perSecond: () => smoothed ?? 0,
  };
}

function timeLeft(state: State, bytesPerSecond: number): string {
  const left = Math.max(0, state.bytes - doneBytes(state));
  if (left === 0) return '0 s';
  return bytesPerSecond <= 0 ? '-' : formatSeconds(left / bytesPerSecond);
}

/** What fits on a line of 80 columns beside the rest. */
function shorten(state: State): string {
  const columns = process.stderr.columns ?? 80;
  const room = Math.max(0, columns - 78);
  const [first] = state.inFlight;
  return first === undefined || room < 8 ? '' : printable(first).slice(-room);
}

/** Follows a single pass over bytes. */
export interface ByteProgress {
  start(bytes: number): void;
  add(bytes: number): void;
  stop(): void;
}

export async function startByteProgress(wanted: boolean): Promise<ByteProgress> {
  const progress = await startProgress(wanted);
  return {
    start: (bytes) => progress.onEvent({ type: 'start', images: 0, blobs: 0, bytes }),
    add: (bytes) => progress.onEvent({ type: 'bytes', bytes }),
    stop: () => progress.stop(),
  };
}
