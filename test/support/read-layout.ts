import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hash, readGraph, type ReadImage, type ReadOptions } from './read-graph.ts';
import { run } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** One descriptor of a layout's `index.json`. */
export interface LayoutEntry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly artifactType?: string;
}

export interface ReadLayout {
  readonly entries: readonly LayoutEntry[];
  /** The image behind each entry, in the entries' order. */
  readonly images: readonly ReadImage[];
  /** Digests of all files under `blobs/`, whether anything names them or not. */
  readonly files: readonly string[];
}

/**
 * Reads an OCI layout folder whole and hashes every file under `blobs/`.
 * @throws Error when it is not a layout, or any byte of it is not what its name says
 * @see OCI image-spec v1.1 image-layout.md
 */
export async function readLayout(folder: string, options: ReadOptions = {}): Promise<ReadLayout> {
  const version = (JSON.parse(readFileSync(join(folder, 'oci-layout'), 'utf8')) as { imageLayoutVersion?: string })
    .imageLayoutVersion;
  if (version !== '1.0.0') throw new Error(`oci-layout says ${String(version)}`);
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
    schemaVersion: number;
    manifests: LayoutEntry[];
  };
  if (index.schemaVersion !== 2) throw new Error(`index.json says schemaVersion ${index.schemaVersion}`);

  const files = blobFiles(folder);
  for (const digest of files) {
    const actual = hash(readFileSync(blobPath(folder, digest)), digest.split(':')[0]);
    if (actual !== digest) throw new Error(`blobs: ${digest} holds bytes whose digest is ${actual}`);
  }
  const images: ReadImage[] = [];
  for (const entry of index.manifests) {
    const image = await readGraph(entry.digest, (digest) => readIfThere(blobPath(folder, digest)), {
      ...options,
      mediaType: entry.mediaType,
    });
    if (image.bytes.length !== entry.size)
      throw new Error(`index.json says ${entry.size} bytes of ${entry.digest}, there are ${image.bytes.length}`);
    if (image.mediaType !== entry.mediaType)
      throw new Error(`index.json says ${entry.mediaType} of ${entry.digest}, which says ${image.mediaType} itself`);
    images.push(image);
  }
  return { entries: index.manifests, images, files };
}

/** An OCI archive: a layout in a tar. Member names that climb out are refused by tar itself. */
export async function readLayoutArchive(path: string, options: ReadOptions = {}): Promise<ReadLayout> {
  const folder = temporaryFolder();
  try {
    await run('tar', ['-xf', path, '-C', folder.path]);
    return await readLayout(folder.path, options);
  } finally {
    folder.remove();
  }
}

/**
 * Reads one image in skopeo's `dir` form, and checks that its folder holds nothing else.
 * @throws Error when anything is absent, changed or superfluous
 */
export async function readDirImage(folder: string, options: ReadOptions = {}): Promise<ReadImage> {
  const version = readFileSync(join(folder, 'version'), 'utf8');
  if (!/^Directory Transport Version: 1\.[12]\n$/.test(version))
    throw new Error(`version says ${JSON.stringify(version)}`);
  const root = readFileSync(join(folder, 'manifest.json'));
  const digest = hash(root);
  const image = await readGraph(
    digest,
    (each, kind) =>
      each === digest
        ? Promise.resolve(root)
        : readIfThere(join(folder, kind === 'manifest' ? `${dirName(each)}.manifest.json` : dirName(each))),
    options,
  );
  const wanted = new Set([
    'version',
    'manifest.json',
    ...[...image.blobs.keys()].map(dirName),
    ...[...image.manifests.keys()].filter((each) => each !== digest).map((each) => `${dirName(each)}.manifest.json`),
  ]);
  const superfluous = readdirSync(folder).filter((name) => !wanted.has(name));
  if (superfluous.length > 0) throw new Error(`${folder} also holds ${superfluous.join(', ')}`);
  return image;
}

/** Folders below `root` that hold an image in `dir` form, as paths relative to it, in code point order. */
export function findDirImages(root: string): string[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return paths
    .filter((path) => path.endsWith('/version') && existsSync(join(root, path, '..', 'manifest.json')))
    .map((path) => path.slice(0, -'/version'.length))
    .sort();
}

function blobFiles(folder: string): string[] {
  const algorithms = readdirSync(join(folder, 'blobs'));
  return algorithms
    .flatMap((algorithm) => readdirSync(join(folder, 'blobs', algorithm)).map((hex) => `${algorithm}:${hex}`))
    .sort();
}

function blobPath(folder: string, digest: string): string {
  return join(folder, 'blobs', digest.replace(':', '/'));
}

function dirName(digest: string): string {
  return digest.startsWith('sha256:') ? digest.slice(7) : digest.replace(':', '-');
}

function readIfThere(path: string): Promise<Buffer | undefined> {
  return Promise.resolve(existsSync(path) ? readFileSync(path) : undefined);
}
