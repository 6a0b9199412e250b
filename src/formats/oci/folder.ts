import { lstatSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ImageSink, ImageTarget, ImageWriter } from '../../content/contracts.ts';
import { openOutputFolder, type OutputFolder } from '../../io/output-folder.ts';
import { writeFileAtomically } from '../../io/write-file.ts';
import { digestAlgorithm, digestHex, type Digest } from '../../oci/digest.ts';
import { formatImageReference } from '../../oci/reference.ts';
import { copyNotes, createBlobFiles, parallelFarBlobs, type BlobHolder } from '../blob-files.ts';
import {
  emptyIndex,
  entriesOf,
  indexEntry,
  isAsWritten,
  layoutFile,
  layoutIndex,
  parseLayoutIndex,
  type LayoutIndex,
  type Naming,
} from './index-file.ts';
import { ociTraits } from './traits.ts';
import { lazySink, type OpenedSink } from '../lazy-sink.ts';
import type { FileSinkOptions } from '../options.ts';

/** Two files at once keep a disk busy while another is hashed; more only wait for the same core. */
const parallelFiles = 2;

/**
 * A layout under way: its index is written when the whole output is complete, so an interrupted first run leaves none.
 */
interface Layout extends BlobHolder {
  readonly folder: string;
  readonly added: ImageTarget[];
  /** Whether an entry stands in its index already, to the letter. */
  readonly shows: (target: ImageTarget) => boolean;
  /** Whether its index has to be written: one that is as regtar writes it, and shows everything, stays. */
  isStale: boolean;
}

/**
 * OCI image layouts in a folder: one for all repositories, or one for each.
 * @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_UNWRITABLE
 * @see OCI image-spec v1.1 image-layout.md
 */
export function openOciSink(options: FileSinkOptions): ImageSink {
  return lazySink(
    {
      traits: { ...ociTraits, parallelBlobs: parallelFiles, parallelFarBlobs },
      describe: (target) => describeLayout(options, target),
    },
    () => startLayouts(options),
  );
}

/** In the words of skopeo and podman: `oci:folder:name`. */
function describeLayout({ out, perRepository }: FileSinkOptions, { repository, tag, root }: ImageTarget): string {
  if (perRepository !== true) return `oci:${out}:${formatImageReference({ repository, tag, digest: root.digest })}`;
  return `oci:${join(out, repository)}${tag === undefined ? `@${root.digest}` : `:${tag}`}`;
}

function startLayouts(options: FileSinkOptions): OpenedSink {
  const perRepository = options.perRepository === true;
  const folder = openOutputFolder(options.out, {
    format: perRepository ? 'oci per repository' : 'oci',
    force: options.force ?? false,
    adopt: (path) => !perRepository && isLayout(path),
  });
  const files = createBlobFiles(folder, { link: options.link, numbers: options.numbers, verify: options.resume });
  const layouts = new Map<string, Layout>();
  const naming: Naming = { refName: perRepository ? 'tag' : 'full', prefix: options.prefix };

  const layoutOf = (repository: string): Layout => {
    const key = perRepository ? repository : '';
    let layout = layouts.get(key);
    if (layout === undefined) {
      layout = openLayout(folder, key, naming);
      layouts.set(key, layout);
    }
    return layout;
  };

  return {
    begin: async (target) => {
      const layout = layoutOf(target.repository);
      const makeFolderOf = (digest: Digest): void => folder.ensureFolder(dirname(layout.path(digest)));
      const writer: ImageWriter = {
        async putBlob(blob, open, o) {
          makeFolderOf(blob.digest);
          return files.put(blob, layout, open, o);
        },
        async putManifest(manifest, bytes) {
          makeFolderOf(manifest.digest);
          return files.putBytes(manifest, layout, bytes);
        },
        async commit() {
          layout.added.push(target);
          if (layout.shows(target)) return 'present';
          layout.isStale = true;
          return 'written';
        },
        abort: async () => undefined,
      };
      return writer;
    },
    finish: async () => {
      for (const { folder: path, added, isStale } of layouts.values()) {
        if (added.length > 0 && isStale)
          writeFileAtomically(indexPath(path), layoutIndex(readIndex(path).index, added, naming), {
            temporary: folder.temporaryPath(),
            sync: !perRepository,
          });
      }
    },
    close: async () => {
      await files.close();
      folder.close();
    },
    notes: () => copyNotes(files, options.out),
  };
}

function openLayout(folder: OutputFolder, repository: string, naming: Naming): Layout {
  const base = repository === '' ? folder.path : join(folder.path, repository);
  folder.ensureFolder(base);
  if (!isLayout(base))
    writeFileAtomically(join(base, 'oci-layout'), layoutFile, { temporary: folder.temporaryPath(), sync: false });
  const { index, bytes } = readIndex(base);
  const shown = entriesOf(index);
  const hasEntries = index.length > 0;
  return {
    folder: base,
    added: [],
    isStale: !hasEntries || !isAsWritten(index, bytes, naming),
    path: (digest) => join(base, 'blobs', digestAlgorithm(digest), digestHex(digest)),
    mayExist: !folder.isFresh,
    shows: (target) => hasEntries && shown.has(indexEntry(target, naming)),
  };
}

const indexPath = (layout: string): string => join(layout, 'index.json');

/** Read where it is needed and not kept: that of a million images is 300 megabytes. */
function readIndex(layout: string): { readonly index: LayoutIndex; readonly bytes: Buffer } {
  const path = indexPath(layout);
  const isThere = lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
  const bytes = isThere ? readFileSync(path) : Buffer.alloc(0);
  return { index: isThere ? parseLayoutIndex(bytes, path) : emptyIndex, bytes };
}

/** Whether a folder is an OCI layout that may be added to. */
function isLayout(path: string): boolean {
  try {
    const json: unknown = JSON.parse(readFileSync(join(path, 'oci-layout'), 'utf8'));
    return typeof json === 'object' && json !== null && 'imageLayoutVersion' in json;
  } catch {
    return false;
  }
}
