import { RegtarError } from '../errors.ts';
import type { ImageSink } from '../content/contracts.ts';
import { isSpecialFile } from '../io/output-stream.ts';
import { openDirSink } from './dir/folder.ts';
import { openDockerArchiveSink } from './docker-archive/archive.ts';
import { openOciArchiveSink } from './oci/archive.ts';
import { openOciSink } from './oci/folder.ts';
import type { FileSinkOptions } from './options.ts';
import { openRegistryArchiveSink, openRegistrySink } from './registry/writer.ts';

type OpenSink = (options: FileSinkOptions) => ImageSink;

/** The only table of formats, each as a folder, as one archive, or as both: a new one is a file of its own and a line here. */
const formats = {
  oci: { folder: openOciSink, archive: openOciArchiveSink },
  dir: { folder: openDirSink, archive: undefined },
  'docker-archive': { folder: undefined, archive: openDockerArchiveSink },
  registry: { folder: openRegistrySink, archive: openRegistryArchiveSink },
} as const satisfies Readonly<
  Record<string, { readonly folder: OpenSink | undefined; readonly archive: OpenSink | undefined }>
>;

/** The name of a format that `export` writes. */
export type Format = keyof typeof formats;

/** Every format's name, for help and completions. */
export const formatNames = Object.keys(formats) as readonly Format[];

/**
 * A sink that writes files. An OUT that ends in `.tar`, is a pipe or device, or is `-`, becomes an archive. Nothing is opened before the first image.
 * @throws RegtarError USAGE where the format does not go with OUT or an option
 */
export function openFileSink(format: Format, options: FileSinkOptions): ImageSink {
  const { folder, archive } = formats[format];
  const wantsArchive =
    folder === undefined || options.out === '-' || options.out.endsWith('.tar') || isSpecialFile(options.out);
  if (!wantsArchive) {
    if (options.split !== undefined)
      throw usage('--split cuts archives, and this is a folder', 'name an OUT that ends in .tar');
    return folder(options);
  }
  if (archive === undefined)
    throw usage(
      `the format ${format} is a folder of images, and ${options.out} ${options.out.endsWith('.tar') ? 'ends in .tar' : 'is a stream'}`,
      'name a folder, or choose another format',
    );
  if (options.perRepository === true)
    throw usage('--per-repository makes a folder for each repository, and OUT is one archive', 'name a folder');
  return archive(options);
}

function usage(message: string, hint: string): RegtarError {
  return new RegtarError('USAGE', message, { hint });
}
