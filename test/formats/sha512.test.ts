import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { program, push, quietEnvironment, statuses } from '../push/support/regtar.ts';
import { collectGarbage } from '../support/collect-garbage.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
/** As Distribution keeps such layers after an upload: the bytes by sha256, and sha512 in the link's path alone. */
const { built, ...kept } = buildStorage((s) => {
  const image = s.image('team/app', 'v1', { algorithm: 'sha512', layers: ['a layer by sha512'] });
  for (const { digest } of image.blobs) s.keepAsSha256('team/app', digest);
  return image;
});
await kept.writeTo(folder.file('backup'));
afterAll(() => folder.remove());

const regtar = (...args: string[]): Promise<unknown> =>
  run(process.execPath, [program, ...args], { env: quietEnvironment });

async function served(registry: Registry): Promise<void> {
  for (const { digest, size } of built.blobs) {
    const answer = await fetch(`${registry.url}/v2/team/app/blobs/${digest}`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect([answer.status, bytes.length]).toEqual([200, size]);
    expect(`sha512:${createHash('sha512').update(bytes).digest('hex')}`).toBe(digest);
  }
  const headers = { accept: 'application/vnd.docker.distribution.manifest.v2+json' };
  const answer = await fetch(`${registry.url}/v2/team/app/manifests/v1`, { headers });
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(built.bytes);
}

describe.each(['docker-registry', 'distribution'] as const)('layers by sha512, in storage for %s', (software) => {
  describeWith(software, 'a real one', () => {
    it('serves what was exported, and its garbage collection keeps all of it', async () => {
      const out = folder.file(`exported-${software}`);
      await regtar('export', folder.file('backup'), out, '--format', 'registry', '--quiet');
      const registry = await startRegistry({ software, storage: out });
      await served(registry).finally(() => registry.stop());
      const stdout = await collectGarbage(software, out);
      expect(stdout).toMatch(/3 blobs marked, 0 blobs and 0 manifests eligible for deletion/);
    });

    it('takes them through its API although its storage is at hand', async () => {
      const storage = folder.file(`placed-${software}`);
      mkdirSync(storage);
      const registry = await startRegistry({ software, storage });
      const result = await push(folder.file('backup'), registry.host, { args: ['--storage', storage] });
      expect([result.code, statuses(result), result.stderr]).toEqual([
        0,
        { copied: 1 },
        expect.not.stringMatching(/regtar:/),
      ]);
      await served(registry).finally(() => registry.stop());
    });
  });
});
