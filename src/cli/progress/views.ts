import type { Output } from '../output.ts';
import { renderByteLine, renderProgress, renderProgressLine } from '../render/progress.ts';
import type { Reading } from './meter.ts';

/** Shows readings as they come. */
export interface ProgressView {
  show(reading: Reading): void;
  stop(): void;
}

/** Between two lines where no terminal shows a bar, in milliseconds. */
const linePause = 10_000;
/** Three lines twice a second are half of what a serial line of 9,600 baud carries. */
const framesPerSecond = 2;
const barWidth = 16;

/** A bar, the counts, and the images under way. Messages that come meanwhile go above it. */
export async function createBars(output: Output, stream: NodeJS.WriteStream): Promise<ProgressView> {
  const { MultiBar } = await import('cli-progress');
  const bars = new MultiBar({
    stream,
    format: '{text}',
    barsize: barWidth,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    hideCursor: true,
    clearOnComplete: true,
    linewrap: false,
    fps: framesPerSecond,
    emptyOnZero: true,
    forceRedraw: true,
    gracefulExit: false,
  });
  // One column stays free: some terminals wrap when the last one is written.
  const columns = (): number => Math.max(20, (stream.columns ?? 80) - 1);
  const fieldsOf = (reading: Reading) => {
    const { numbers, counts, names } = renderProgress(reading, columns());
    const percent = `${String(Math.floor((100 * reading.bytes.done) / Math.max(1, reading.bytes.all))).padStart(3)} %`;
    const behind = `  ${percent}  ${numbers}`;
    return { behind: behind.slice(0, Math.max(0, columns() - barWidth)), counts, names };
  };
  let lines: { update(value: number, fields: object): void; setTotal(total: number): void }[] = [];
  const start = (fields: object, reading: Reading): void => {
    const total = Math.max(1, reading.bytes.all);
    const formats = reading.images.all > 0 ? ['{bar}{behind}', '{counts}', '{names}'] : ['{bar}{behind}'];
    lines = formats.map((format) => bars.create(total, 0, fields, { format }));
    // A second Ctrl-C ends the process at once: the cursor must come back.
    process.once('exit', stop);
    output.divert((text) => bars.log(`${text.replaceAll('\n', '\u001b[K\n')}\u001b[K\n`));
  };
  const stop = (): void => {
    if (lines.length === 0) return;
    lines = [];
    // What was said since the last frame.
    bars.update();
    bars.stop();
    output.divert(undefined);
    process.off('exit', stop);
  };
  return {
    show(reading) {
      const fields = fieldsOf(reading);
      if (lines.length === 0) start(fields, reading);
      for (const line of lines) line.update(reading.bytes.done, fields);
    },
    stop,
  };
}

/** A line now and then. */
export function createLines(output: Output): ProgressView {
  let last = performance.now();
  return {
    show(reading) {
      if (performance.now() - last < linePause) return;
      last = performance.now();
      output.message(reading.images.all > 0 ? renderProgressLine(reading) : renderByteLine(reading));
    },
    stop: () => undefined,
  };
}
