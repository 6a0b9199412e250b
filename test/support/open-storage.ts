import { writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import type { ContentStore } from '../../src/content/contracts.ts';
import { createGraphReader, type GraphReader } from '../../src/content/image-graph.ts';
import type { Backup } from '../../src/source/backup.ts';
import { openSource } from '../../src/source/open-source.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import type { StorageCatalog } from '../../src/formats/registry/storage-catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import type { BuiltStorage, StorageTarOptions } from './storage-output.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface OpenedStorage {
  readonly backup: Backup;
  readonly catalog: StorageCatalog;
  readonly store: ContentStore;
  readonly graph: GraphReader;
  /** The archive, or the folder. */
  readonly path: string;
}

/** Opens a path as `regtar` would; closed when the test ends. */
export async function openPath(...paths: readonly string[]): Promise<OpenedStorage> {
  const backup = await openSource(paths);
  onTestFinished(() => backup.close());
  const catalog = await readCatalog(backup);
  const store = openContentStore(backup, catalog);
  return { backup, catalog, store, graph: createGraphReader(store), path: paths[0] ?? '' };
}

/** Packs a storage and opens the archive. */
export async function openTar(
  storage: Pick<BuiltStorage, 'tar'> | Uint8Array,
  options?: StorageTarOptions,
): Promise<OpenedStorage> {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  const path = folder.file('docker.tar');
  writeFileSync(path, storage instanceof Uint8Array ? storage : storage.tar(options));
  return openPath(path);
}

/** Writes a storage as a folder and opens it. */
export async function openFolder(storage: Pick<BuiltStorage, 'writeTo'>): Promise<OpenedStorage> {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  await storage.writeTo(folder.path);
  return openPath(folder.path);
}
