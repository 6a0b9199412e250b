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
  readonly existing: LayoutIndex;
  readonly added: ImageTarget[];
  /** Whether an entry stands in its index already, to the letter. */
  readonly shows: (target: ImageTarget) => boolean;
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
  const files = createBlobFiles(folder, { link: options.link ?? false, verify: options.resume });
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
          return layout.shows(target) ? 'present' : 'written';
        },
        abort: async () => undefined,
      };
      return writer;
    },
    finish: async () => {
      for (const { folder: path, existing, added } of layouts.values()) {
        if (added.length > 0)
          writeFileAtomically(join(path, 'index.json'), layoutIndex(existing, added, naming), {
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
  const indexPath = join(base, 'index.json');
  const existing =
    lstatSync(indexPath, { throwIfNoEntry: false })?.isFile() === true
      ? parseLayoutIndex(readFileSync(indexPath), indexPath)
      : emptyIndex;
  const shown = entriesOf(existing);
  return {
    folder: base,
    existing,
    added: [],
    path: (digest) => join(base, 'blobs', digestAlgorithm(digest), digestHex(digest)),
    mayExist: !folder.isFresh,
    shows: (target) => existing.length > 0 && shown.has(indexEntry(target, naming)),
  };
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
