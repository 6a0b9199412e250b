import { targetName } from '../../content/target-name.ts';
import { RegtarError } from '../../errors.ts';
import type { ImageSink, ImageTarget, ImageWriter } from '../../content/contracts.ts';
import { collectBody } from '../../io/body.ts';
import { openOutputFolder } from '../../io/output-folder.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { tagCurrentPath } from './layout.ts';
import { createArchiveSink } from '../archive/archive-sink.ts';
import { registryArchive } from './archive.ts';
import { lazySink, type OpenedSink } from '../lazy-sink.ts';
import type { FileSinkOptions } from '../options.ts';
import { registryTraits } from './traits.ts';
import { imageLinks } from './archive-links.ts';
import { openFolderPlace } from './folder-place.ts';
import type { Place } from './place.ts';
import { createPlacedBlobs } from './placed-blobs.ts';

const parallelFiles = 2;
/** A bucket answers slower than a disk; each of them may hold three parts of an upload in memory. */
const parallelObjects = 4;

/**
 * The storage of a Distribution registry in a folder, with what was selected and nothing else. A tag appears when
 * everything that it needs is there, so the tree is sound whenever the writing stops.
 * @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_UNWRITABLE, USAGE for --link with --owner
 */
export function openRegistrySink(options: FileSinkOptions): ImageSink {
  const describe = (target: ImageTarget): string => `registry:${options.out}:${targetName(target)}`;
  const parallelBlobs = options.place === undefined ? parallelFiles : parallelObjects;
  const traits = { ...registryTraits, parallelBlobs };
  return lazySink({ traits, describe }, () => startTree(options));
}

/** The same as an archive; members of an image follow each other, its tag last. */
export function openRegistryArchiveSink(options: FileSinkOptions): ImageSink {
  return createArchiveSink(registryArchive, registryTraits, options);
}

function startTree(options: FileSinkOptions): OpenedSink {
  const { owner } = options;
  if (options.link === true && owner !== undefined) {
    throw new RegtarError(
      'USAGE',
      '--link and --owner exclude each other: a linked file would change its owner in the source, too',
      { hint: 'leave one of them out' },
    );
  }
  const { place, isFresh } = openTree(options);
  const blobs = createPlacedBlobs(place, {
    isFresh,
    replace: true,
    verify: options.resume === true,
    link: options.link === true ? 'sized' : undefined,
  });
  return {
    begin: async (target) => {
      const manifests: { descriptor: Descriptor; bytes: Uint8Array }[] = [];
      const writer: ImageWriter = {
        putBlob: (blob, open, o) => blobs.put(blob, open, o),
        putManifest: async (descriptor, bytes) => {
          manifests.push({ descriptor, bytes });
          return blobs.putBytes(descriptor, bytes);
        },
        commit: async () => {
          const current = target.tag === undefined ? undefined : tagCurrentPath(target.repository, target.tag);
          // What a tag means now is read before the image is whole, and may have changed: it alone appears by rename.
          let isPresent = !isFresh;
          for (const { path, bytes, modified } of imageLinks({ target, manifests })) {
            const isCurrent = path === current;
            const isRight = (isCurrent || options.resume === true) && (await holds(place, path, bytes));
            if (isRight && !isCurrent) continue;
            const replace = isCurrent || options.resume === true;
            const outcome = await place.put(path, bytes, { replace, modified });
            isPresent &&= isCurrent ? isRight : outcome === 'present';
          }
          return isPresent ? 'present' : 'written';
        },
        abort: async () => undefined,
      };
      return writer;
    },
    finish: async () => undefined,
    close: () => place.close(),
    notes: () => place.notes?.() ?? [],
  };
}

/** Whether a small file is there with these bytes. */
async function holds(place: Place, path: string, bytes: Uint8Array): Promise<boolean> {
  if ((await place.stat(path))?.size !== bytes.length) return false;
  return Buffer.from(await collectBody(place.read(path), Infinity)).equals(bytes);
}

function openTree(options: FileSinkOptions): { readonly place: Place; readonly isFresh: boolean } {
  // What is in a bucket may be there already: each object is looked for.
  if (options.place !== undefined) return { place: options.place, isFresh: false };
  const { owner } = options;
  const folder = openOutputFolder(options.out, { format: 'registry', force: options.force ?? false, owner });
  const place = openFolderPlace(folder.path, {
    temporaryPath: () => folder.temporaryPath(),
    live: false,
    owner,
    onClose: () => folder.close(),
  });
  return { place, isFresh: folder.isFresh };
}
