import { targetName } from '../../content/target-name.ts';
import { existsSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { RegtarError } from '../../errors.ts';
import type { ImageTarget, WriteOptions } from '../../content/contracts.ts';
import { onOutput } from '../../io/output-error.ts';
import { lockOutput } from '../../io/output-lock.ts';
import {
  createOutputFile,
  isSpecialFile,
  openOutputDescriptor,
  openSpecialFile,
  outputFile,
  refuseForeignFile,
  type OutputFile,
  type OutputStream,
} from '../../io/output-stream.ts';
import { noticeVanished, watchFolder } from '../../io/watched-folder.ts';
import type { Digest } from '../../oci/digest.ts';
import { encodeMemberHeader } from '../../tar/write-header.ts';
import { startArchivePart, type ArchivePart } from './part.ts';
import type { ArchivedImage, ArchiveFormat } from './archive-format.ts';
import { imageFolderName } from '../dir/file-names.ts';
import type { FileSinkOptions } from '../options.ts';
import { createPrefetchRings, type PutBlob } from './prefetch-blobs.ts';

/** One archive, or several one after another. */
export interface ArchiveParts {
  readonly notes: readonly string[];
  /** Whether the archive under way has a blob. */
  has(digest: Digest): boolean;
  /** The archive that an image went into or will go into, where that is known. */
  pathOf(target: ImageTarget): string | undefined;
  write(image: ArchivedImage, blobs: readonly PutBlob[], options: WriteOptions): Promise<void>;
  complete(): Promise<void>;
  close(): Promise<void>;
}

/** @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_UNWRITABLE, USAGE for --split with a stream */
export function openArchiveParts(format: ArchiveFormat, options: FileSinkOptions): ArchiveParts {
  const { out, split, owner, resume = false } = options;
  const isStream = out === '-' || isSpecialFile(out);
  if (isStream && split !== undefined)
    throw new RegtarError('USAGE', '--split makes several files, but OUT is a stream', {
      hint: 'name a file: images.tar becomes images-0001.tar and so on',
    });
  const [opening] = format.opening;
  const beginning = encodeMemberHeader({
    path: opening.path,
    kind: opening.path.endsWith('/') ? 'directory' : 'file',
    size: opening.bytes.length,
    owner,
  });
  const file = isStream ? undefined : outputFile(out);
  if (file !== undefined && split === undefined) refuseForeignFile(file.path, beginning);
  const watched = file === undefined ? undefined : onOutput(file.path, () => watchFolder(dirname(file.path)));
  const lock = file === undefined ? undefined : lockOutput(file.lock, file.path);
  const notes: string[] = [];
  const places = new Map<string, string>();
  const names = new Map<string, number>();
  const rings = createPrefetchRings();
  let part: ArchivePart | undefined;
  let partPath: string | undefined;
  let partKey = '';
  let broken: RegtarError | undefined;
  /** What was written of an unfinished part waits for `--resume`. */
  let keepsPart = resume;

  const completePart = async (): Promise<void> => {
    const ended = part;
    if (ended === undefined) return;
    if (ended.images > 0) await ended.complete();
    else await ended.discard();
    part = undefined;
    if (ended.kept > 0) notes.push(`${ended.kept} bytes were there already and are right`);
  };
  /** What a medium that is gone holds may come back with it. */
  const watchFailure = <Result>(work: Promise<Result>): Promise<Result> =>
    noticeVanished(work, () => void (keepsPart = true));
  const start = (target: ImageTarget): ArchivePart => {
    if (file === undefined)
      return startArchivePart(format, options.stream ?? openStream(out, options.descriptor), owner, rings);
    partPath = split === undefined ? file.path : nextPath(file, nameOf(target), names);
    refuseForeignFile(partPath, beginning);
    const { path, temporary } = split === undefined ? file : outputFile(partPath);
    // What is complete is gone through once more under its unfinished name: what is right is kept.
    if (resume && existsSync(path) && !existsSync(temporary)) onOutput(path, () => renameSync(path, temporary));
    const output = createOutputFile(path, temporary, { resume, requireSame: () => watched?.requireSame() });
    return startArchivePart(format, output, owner, rings);
  };
  const nameOf = (target: ImageTarget): string => {
    if (split === 'image' || split === 'repository') return keyOf(target).replaceAll('/', '+');
    return `${names.size + 1}`.padStart(4, '0');
  };
  const keyOf = (target: ImageTarget): string =>
    split === 'image' ? imageFolderName(target, 'safe') : split === 'repository' ? target.repository : '';
  const partFor = async (image: ArchivedImage, blobs: readonly PutBlob[]): Promise<ArchivePart> => {
    const key = keyOf(image.target);
    if (
      part !== undefined &&
      part.images > 0 &&
      (key !== partKey || (typeof split === 'object' && part.sizeWith(image, blobs) > split.bytes))
    )
      await completePart();
    partKey = key;
    part ??= start(image.target);
    if (typeof split === 'object' && part.images === 0 && part.sizeWith(image, blobs) > split.bytes)
      notes.push(`${targetName(image.target)} alone is larger than --split allows; its archive is, too`);
    return part;
  };

  return {
    notes,
    has: (digest) => part?.has(digest) ?? false,
    pathOf: (target) => places.get(targetName(target)),
    async write(image, blobs, writeOptions) {
      if (broken !== undefined) throw broken;
      const current = await watchFailure(partFor(image, blobs));
      try {
        await watchFailure(current.write(image, blobs, writeOptions));
      } catch (error) {
        if (current.isSpoilt && error instanceof RegtarError && error.side === 'source')
          broken = streamEnded(out === '-' ? 'the stream' : out, error);
        throw broken ?? error;
      }
      if (split !== undefined && partPath !== undefined) places.set(targetName(image.target), partPath);
    },
    async complete() {
      if (broken !== undefined) throw broken;
      await watchFailure(completePart());
    },
    async close() {
      const unfinished = part;
      part = undefined;
      if (keepsPart) await unfinished?.leave();
      else await unfinished?.discard();
      lock?.release();
    },
  };
}

function openStream(out: string, descriptor: number | undefined): OutputStream {
  return out === '-' ? openOutputDescriptor(descriptor ?? 1, 'standard output') : openSpecialFile(out, descriptor);
}

/** `images.tar` becomes `images-<name>.tar`; a name that comes again, after others, gets a number. */
function nextPath(file: OutputFile, name: string, names: Map<string, number>): string {
  const times = (names.get(name) ?? 0) + 1;
  names.set(name, times);
  return `${file.path.replace(/\.tar$/, '')}-${name}${times > 1 ? `-${times}` : ''}.tar`;
}

/** A stream that a damaged blob ended: nothing can follow it, and no loader takes it without its last members. */
function streamEnded(name: string, cause: RegtarError): RegtarError {
  return new RegtarError(
    'OUTPUT_UNWRITABLE',
    `${name} was ended before it was complete, because a stream cannot take back what it has sent: ${cause.message}`,
    {
      side: 'source',
      where: cause.where,
      cause,
      hint: 'write to a file: there a damaged image is left out and the others go on; or leave it out with --exclude',
    },
  );
}
