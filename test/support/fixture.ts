import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RunnableImage } from './fixture/content.ts';
import type { ExpectedRevision, ExpectedTag } from './fixture/record.ts';
import { run } from './run.ts';
import { startRegistry, type Registry, type RegistryOptions } from './start-registry.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

/** `testdata/expected.json`: what the real registry answered while `docker.tar` was made from it. */
export interface Expected {
  /** Versions of the programs that made it: docker-registry, gzip, zstd. */
  readonly tools: Readonly<Record<string, string>>;
  readonly repositories: readonly string[];
  readonly tags: readonly ExpectedTag[];
  readonly revisions: readonly ExpectedRevision[];
  /** Every blob, manifests included. */
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
  readonly runnable: readonly RunnableImage[];
}

/** Path of the committed backup. */
export const fixturePath = fileURLToPath(new URL('../../testdata/docker.tar', import.meta.url));

export const expected = JSON.parse(
  readFileSync(new URL('../../testdata/expected.json', import.meta.url), 'utf8'),
) as Expected;

/** The fixture's storage as a folder that holds `docker/registry/v2`; the caller removes it. */
export async function unpackFixture(): Promise<TemporaryFolder> {
  const folder = temporaryFolder();
  await run('tar', ['-xf', fixturePath, '-C', folder.path]);
  return folder;
}

/** A live registry that holds the fixture's content, in a storage that goes when it stops. */
export async function serveFixture(options: Omit<RegistryOptions, 'storage'> = {}): Promise<Registry> {
  const folder = await unpackFixture();
  const registry = await startRegistry({ ...options, storage: folder.path });
  return {
    ...registry,
    stop: async () => {
      await registry.stop();
      folder.remove();
    },
  };
}
