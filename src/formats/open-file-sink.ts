import { RegtarError } from '../errors.ts';
import type { ImageSink } from '../content/contracts.ts';
import { isSpecialFile } from '../io/output-stream.ts';
import type { FormatDeclaration } from './format.ts';
import { formatNames, formats, formatsWhere, type Format } from './formats.ts';
import type { FileSinkOptions } from './options.ts';

/**
 * A sink that writes files. An OUT that ends in `.tar`, is a pipe or device, or is `-`, becomes an archive. Nothing is
 * opened before the first image.
 * @throws RegtarError USAGE where the format does not go with OUT or an option
 */
export async function openFileSink(format: Format, options: FileSinkOptions): Promise<ImageSink> {
  refuseForeignOptions(format, options);
  const { folder, archive }: FormatDeclaration = formats[format];
  if (options.place !== undefined && format !== 'registry')
    throw usage(`the format ${format} is written to files, not to ${options.place.describe}`, 'use --format registry');
  const isFile = options.out === '-' || options.out.endsWith('.tar') || isSpecialFile(options.out);
  if (options.volumeSize !== undefined) refuseWithVolumes(options, isFile);
  const wantsArchive = folder === undefined || (options.place === undefined && isFile);
  if (!wantsArchive) {
    if (options.split !== undefined)
      throw usage('--split is for archives, but OUT is a folder', 'name an OUT that ends in .tar');
    return (await folder())(options);
  }
  if (archive === undefined) {
    const out = `${options.out} ${options.out.endsWith('.tar') ? 'ends in .tar' : 'is a stream'}`;
    throw usage(`the format ${format} is a folder of images, and ${out}`, 'name a folder, or choose another format');
  }
  if (options.perRepository === true)
    throw usage('--per-repository makes a folder for each repository, but OUT is one archive', 'name a folder');
  return (await archive())(options);
}

/** An option that changes nothing is a mistake, and not one that shows in the output. */
function refuseForeignOptions(format: Format, options: FileSinkOptions): void {
  const own: FormatDeclaration['options'] = formats[format].options;
  const special = new Set(formatNames.flatMap((name): FormatDeclaration['options'] => formats[name].options));
  for (const option of special) {
    if (own.includes(option) || options[option] === undefined || options[option] === false) continue;
    const flag = `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const able = formatsWhere((each) => each.options.includes(option)).join(' and ');
    throw usage(`${flag} has no effect with --format ${format}`, `leave it out; it is for ${able}`);
  }
}

/** @throws RegtarError USAGE for what does not go with a folder of archives */
function refuseWithVolumes(options: FileSinkOptions, isFile: boolean): void {
  if (isFile) throw usage('--volume-size makes several archives, but OUT is a single one', 'name a folder');
  if (options.place !== undefined)
    throw usage(`volumes are written to files, not to ${options.place.describe}`, 'name a folder');
  const flag =
    options.split !== undefined
      ? '--split'
      : options.perRepository === true
        ? '--per-repository'
        : options.link === true
          ? '--link'
          : undefined;
  if (flag !== undefined) throw usage(`${flag} and --volume-size exclude each other`, 'leave one of them out');
}

/** Whether OUT becomes an archive in a file, not a folder, a stream or a device. */
export function isArchiveFile(format: Format, out: string): boolean {
  const { folder }: FormatDeclaration = formats[format];
  return out !== '-' && !isSpecialFile(out) && (folder === undefined || out.endsWith('.tar'));
}

function usage(message: string, hint: string): RegtarError {
  return new RegtarError('USAGE', message, { hint });
}
