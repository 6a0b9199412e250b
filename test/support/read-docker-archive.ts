import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { hash } from './read-graph.ts';
import { readLayout, type ReadLayout } from './read-layout.ts';
import { run } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** One image of a docker-archive, its layers' diff IDs recomputed and equal to its config's. */
export interface ArchivedImage {
  readonly repoTags: readonly string[];
  readonly configDigest: string;
  readonly config: {
    readonly os: string;
    readonly architecture: string;
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
  readonly layers: readonly { readonly path: string; readonly digest: string; readonly size: number }[];
}

export interface ReadDockerArchive {
  readonly images: readonly ArchivedImage[];
  /** The OCI side of an archive in the dual form; undefined in the old form. */
  readonly layout: ReadLayout | undefined;
  /** Member names in the archive's order. */
  readonly members: readonly string[];
}

interface ManifestEntry {
  readonly Config: string;
  readonly RepoTags: string[] | null;
  readonly Layers: string[];
}

/**
 * Reads a docker-archive whole, as `docker load` would.
 * @throws Error when a file is absent, is not what its name or the config's diff IDs say, or the OCI side is damaged
 */
export async function readDockerArchive(path: string): Promise<ReadDockerArchive> {
  const folder = temporaryFolder();
  try {
    await run('tar', ['-xf', path, '-C', folder.path]);
    const { stdout } = await run('tar', ['-tf', path]);
    const manifest = JSON.parse(readFileSync(folder.file('manifest.json'), 'utf8')) as ManifestEntry[];
    const images: ArchivedImage[] = [];
    for (const entry of manifest) images.push(await readImage(folder.path, entry));
    return {
      images,
      layout: existsSync(folder.file('oci-layout')) ? await readLayout(folder.path, { allowMissing: true }) : undefined,
      members: stdout.split('\n').filter((name) => name !== ''),
    };
  } finally {
    folder.remove();
  }
}

async function readImage(folder: string, entry: ManifestEntry): Promise<ArchivedImage> {
  const configBytes = readNamed(folder, entry.Config);
  const config = JSON.parse(configBytes.toString('utf8')) as ArchivedImage['config'];
  const layers: { path: string; digest: string; size: number }[] = [];
  const diffIds: string[] = [];
  for (const path of entry.Layers) {
    const bytes = readNamed(folder, path);
    layers.push({ path, digest: hash(bytes), size: bytes.length });
    diffIds.push(hash(await decompress(bytes)));
  }
  if (diffIds.join() !== config.rootfs.diff_ids.join())
    throw new Error(
      `${entry.Config}: diff IDs are ${diffIds.join()}, the config says ${config.rootfs.diff_ids.join()}`,
    );
  return { repoTags: entry.RepoTags ?? [], configDigest: hash(configBytes), config, layers };
}

/** Where a file's name holds a SHA-256, its bytes must have it. */
function readNamed(folder: string, name: string): Buffer {
  const bytes = readFileSync(join(folder, name));
  const hex = /^(?:blobs\/sha256\/)?([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  if (hex !== undefined && hash(bytes) !== `sha256:${hex}`)
    throw new Error(`${name} holds bytes whose digest is ${hash(bytes)}`);
  return bytes;
}

async function decompress(bytes: Buffer): Promise<Buffer> {
  const mark = bytes.subarray(0, 4).toString('hex');
  if (mark.startsWith('1f8b')) return gunzipSync(bytes);
  if (mark === '28b52ffd') return (await run('zstd', ['-dcq'], { input: bytes })).bytes;
  return bytes;
}
