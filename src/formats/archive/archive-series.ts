import { targetName } from '../../content/target-name.ts';
import { existsSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { RegtarError } from '../../errors.ts';
import type { ImageTarget, WriteOptions } from '../../content/contracts.ts';
import { onOutput } from '../../io/output-error.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import { lockOutput } from '../../io/output-lock.ts';
import {
  createOutputFile,
  isSpecialFile,
  openOutputDescriptor,
  openSpecialFile,
  outputFile,
  refuseForeignFile,
  type OutputStream,
} from '../../io/output-stream.ts';
import { formatBytes } from '../../io/sizes.ts';
import { noticeVanished, watchFolder } from '../../io/watched-folder.ts';
import type { Digest } from '../../oci/digest.ts';
import { encodeMemberHeader } from '../../tar/write-header.ts';
import type { FileSinkOptions } from '../options.ts';
import type { ArchivedImage, ArchiveFormat } from './archive-format.ts';
import { startArchive, type ArchiveWriter } from './archive-writer.ts';
import { createPrefetchRings, type PutBlob } from './prefetch-blobs.ts';
import { createSplitNames } from './split-names.ts';

/** One archive, or several one after another. */
export interface ArchiveSeries {
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
export function openArchives(format: ArchiveFormat, options: FileSinkOptions): ArchiveSeries {
  const { out, split, owner, resume = false } = options;
  const isStream = out === '-' || isSpecialFile(out);
  if (isStream && split !== undefined)
    throw new RegtarError('USAGE', '--split makes several files, but OUT is a stream', {
      hint: 'name a file: images.tar becomes images-0001.tar and so on',
    });
  const beginning = firstHeader(format, owner);
  const file = isStream ? undefined : outputFile(out);
  if (file !== undefined && split === undefined) refuseForeignFile(file.path, beginning);
  const watched = file === undefined ? undefined : onOutput(file.path, () => watchFolder(dirname(file.path)));
  const lock = file === undefined ? undefined : lockOutput(file.lock, file.path);
  const notes: string[] = [];
  const places = new Map<string, string>();
  const rings = createPrefetchRings();
  const names = createSplitNames(split);
  let current: ArchiveWriter | undefined;
  let currentPath: string | undefined;
  let currentKey = '';
  let broken: RegtarError | undefined;
  /** What was written of an unfinished archive waits for `--resume`. */
  let keepsUnfinished = resume;

  const completeCurrent = async (): Promise<void> => {
    const ended = current;
    if (ended === undefined) return;
    if (ended.images > 0) await ended.complete();
    else await ended.discard();
    current = undefined;
    if (ended.kept > 0) notes.push(`${formatBytes(ended.kept)} were already there and are right`);
  };
  /** What a medium that is gone holds may come back with it. */
  const watchFailure = <Result>(work: Promise<Result>): Promise<Result> =>
    noticeVanished(work, () => void (keepsUnfinished = true));
  const start = (target: ImageTarget): ArchiveWriter => {
    if (file === undefined)
      return startArchive(format, options.stream ?? openStream(out, options.descriptor), owner, rings);
    currentPath = names.next(file.path, target);
    refuseForeignFile(currentPath, beginning);
    const { path, temporary } = split === undefined ? file : outputFile(currentPath);
    // What is complete is gone through once more under its unfinished name: what is right is kept.
    if (resume && existsSync(path) && !existsSync(temporary)) onOutput(path, () => renameSync(path, temporary));
    const output = createOutputFile(path, temporary, { resume, requireSame: () => watched?.requireSame() });
    return startArchive(format, output, owner, rings);
  };
  const archiveFor = async (image: ArchivedImage, blobs: readonly PutBlob[]): Promise<ArchiveWriter> => {
    const key = names.keyOf(image.target);
    const isTooLarge = (archive: ArchiveWriter): boolean =>
      typeof split === 'object' && archive.sizeWith(image, blobs) > split.bytes;
    if (current !== undefined && current.images > 0 && (key !== currentKey || isTooLarge(current)))
      await completeCurrent();
    currentKey = key;
    current ??= start(image.target);
    if (current.images === 0 && isTooLarge(current))
      notes.push(`${targetName(image.target)} alone is larger than --split allows, and so is its archive`);
    return current;
  };

  return {
    notes,
    has: (digest) => current?.has(digest) ?? false,
    pathOf: (target) => places.get(targetName(target)),
    async write(image, blobs, writeOptions) {
      if (broken !== undefined) throw broken;
      const archive = await watchFailure(archiveFor(image, blobs));
      try {
        await watchFailure(archive.write(image, blobs, writeOptions));
      } catch (error) {
        if (archive.isSpoilt && error instanceof RegtarError && error.side === 'source')
          broken = streamEnded(out === '-' ? 'the stream' : out, error);
        throw broken ?? error;
      }
      if (split !== undefined && currentPath !== undefined) places.set(targetName(image.target), currentPath);
    },
    async complete() {
      if (broken !== undefined) throw broken;
      await watchFailure(completeCurrent());
    },
    async close() {
      const unfinished = current;
      current = undefined;
      if (keepsUnfinished) await unfinished?.leave();
      else await unfinished?.discard();
      lock?.release();
    },
  };
}

function openStream(out: string, descriptor: number | undefined): OutputStream {
  return out === '-' ? openOutputDescriptor(descriptor ?? 1, 'standard output') : openSpecialFile(out, descriptor);
}

/** What tells regtar's archives of this format from others. */
function firstHeader({ opening: [first] }: ArchiveFormat, owner: OwnerIds | undefined): Uint8Array {
  const kind = first.path.endsWith('/') ? 'directory' : 'file';
  return encodeMemberHeader({ path: first.path, kind, size: first.bytes.length, owner });
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
