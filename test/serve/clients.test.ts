import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expected, fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { listRegistry, readRegistryImage } from '../support/read-registry.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startServe, type Served } from './support/start-serve.ts';

const folder = temporaryFolder();
let served: Served;
beforeAll(async () => void (served = await startServe([fixturePath])));
afterAll(async () => {
  await served.process.stop();
  folder.remove();
});

it('shows what the registry showed that the backup is of, and every image of it whole', async () => {
  const tags = await listRegistry(served);
  expect(tags).toEqual(
    expected.tags.map(({ repository, tag, digest, mediaType, size }) => ({ repository, tag, digest, mediaType, size })),
  );
  for (const { repository, digest } of expected.revisions) await readRegistryImage(served, repository, digest);
});

describeWith('skopeo', 'skopeo', () => {
  it('copies a multi-arch image out of it, digest unchanged', async () => {
    const out = folder.file('multi');
    await run('skopeo', [
      ...['--insecure-policy', 'copy', '-q', '--all', '--preserve-digests', '--src-tls-verify=false'],
      `docker://${served.host}/tools/multi:1.0`,
      `dir:${out}`,
    ]);
    const { digest } = expected.tags.find(({ repository }) => repository === 'tools/multi') ?? {};
    const { stdout } = await run('sha256sum', [`${out}/manifest.json`]);
    expect(`sha256:${stdout.slice(0, 64)}`).toBe(digest);
    expect(readFileSync(`${out}/version`, 'utf8')).toContain('Directory Transport');
  });
});
