import type { ImageSink } from '../content/contracts.ts';

/** What a sink does once its output is open. */
export type OpenedSink = Pick<ImageSink, 'begin' | 'finish' | 'close' | 'notes'>;

/**
 * A sink that touches its output only when the first image comes: `--dry-run` asks for traits and places alone.
 * @param open throws OUTPUT_FOREIGN, OUTPUT_BUSY and the like, out of the first `begin`
 */
export function lazySink(known: Pick<ImageSink, 'traits' | 'describe'>, open: () => OpenedSink): ImageSink {
  let opened: OpenedSink | undefined;
  return {
    ...known,
    begin: async (target, options) => (opened ??= open()).begin(target, options),
    finish: async (options) => opened?.finish(options),
    close: async () => opened?.close(),
    notes: () => opened?.notes?.() ?? [],
  };
}
