import type { ImageSink } from '../content/contracts.ts';
import { openDirSink } from './dir.ts';
import { openOciSink } from './oci.ts';
import type { FileSinkOptions } from './options.ts';

/** The only table of formats: a new one is a file of its own and a line here. */
const formats = {
  oci: openOciSink,
  dir: openDirSink,
} as const satisfies Readonly<Record<string, (options: FileSinkOptions) => ImageSink>>;

export type Format = keyof typeof formats;

export function openFileSink(format: Format, options: FileSinkOptions): ImageSink {
  return formats[format](options);
}
