import { targetName } from '../../content/target-name.ts';
import type { ImageSink, ImageTarget, ImageWriter, SinkTraits, WriteOptions } from '../../content/contracts.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { compareCodePoints } from '../../oci/reference.ts';
import type { ArchivedImage, ArchiveFormat } from './archive-format.ts';
import { openArchives, type ArchiveSeries } from './archive-series.ts';
import { lazySink, type OpenedSink } from '../lazy-sink.ts';
import type { FileSinkOptions } from '../options.ts';
import type { PutBlob } from './prefetch-blobs.ts';

/**
 * Images in tar archives, each blob once, in one pass. An image is written as a whole at `commit`, in an order that
 * only it determines, so the bytes do not depend on how many blobs or images `copy` has under way.
 * @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function createArchiveSink(
  format: ArchiveFormat,
  traits: Omit<SinkTraits, 'parallelBlobs'>,
  options: FileSinkOptions,
): ImageSink {
  let archives: ArchiveSeries | undefined;
  const describe = (target: ImageTarget): string =>
    `${format.name}:${archives?.pathOf(target) ?? options.out}:${targetName(target)}`;
  return lazySink({ traits: { ...traits, parallelBlobs: 1 }, describe }, () =>
    startSink((archives = openArchives(format, options))),
  );
}

function startSink(archives: ArchiveSeries): OpenedSink {
  // Images are written in the order in which they began, whichever is ready first.
  let last: Promise<void> = Promise.resolve();
  return {
    begin: async (target) => {
      const before = last;
      let settle = (): void => undefined;
      last = new Promise((resolve) => {
        settle = resolve;
      });
      return imageWriter(archives, target, before, () => void before.then(settle));
    },
    finish: async () => archives.complete(),
    close: async () => archives.close(),
    notes: () => archives.notes,
  };
}

function imageWriter(
  archives: ArchiveSeries,
  target: ImageTarget,
  before: Promise<void>,
  settle: () => void,
): ImageWriter {
  const blobs: PutBlob[] = [];
  const manifests: { descriptor: Descriptor; bytes: Uint8Array }[] = [];
  const outcome = (descriptor: Descriptor) => (archives.has(descriptor.digest) ? 'present' : 'written');
  return {
    async putBlob(descriptor, open, { signal, onBytes }) {
      blobs.push({ descriptor, open, signal, onBytes });
      return outcome(descriptor);
    },
    async putManifest(descriptor, bytes) {
      manifests.push({ descriptor, bytes });
      return outcome(descriptor);
    },
    async commit(options: WriteOptions) {
      await before;
      try {
        blobs.sort((left, right) => compareCodePoints(left.descriptor.digest, right.descriptor.digest));
        await archives.write({ target, manifests } satisfies ArchivedImage, blobs, options);
        return 'written';
      } finally {
        settle();
      }
    },
    async abort() {
      settle();
    },
  };
}
