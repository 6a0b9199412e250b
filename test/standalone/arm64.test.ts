import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tagDigests } from '../e2e/support/expected-images.ts';
import { bareEnvironment } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith, peerCommand } from '../support/peers.ts';
import { listRegistry } from '../support/read-registry.ts';
import { run } from '../support/run.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStandalone, runForm, standaloneFolder } from './support/standalone.ts';

const executable = join(standaloneFolder, 'regtar-linux-arm64');

beforeAll(buildStandalone);

describeWith(['qemu-aarch64', 'docker-registry'], 'the executable for arm64', () => {
  const regtar = (...args: readonly string[]): Promise<string> =>
    runForm([peerCommand('qemu-aarch64'), '-L', '/usr/aarch64-linux-gnu', executable], args).then(
      ({ stdout }) => stdout,
    );

  it('prints what the program of this machine prints', async () => {
    for (const words of [['--version'], ['inspect', fixturePath, '--json'], ['verify', fixturePath, '--json']])
      expect(withoutTimes(await regtar(...words))).toEqual(
        withoutTimes(
          (await run(process.execPath, [join(standaloneFolder, 'regtar.mjs'), ...words], { env: bareEnvironment }))
            .stdout,
        ),
      );
  });

  it('pushes every tag', async () => {
    const registry = await startRegistry();
    try {
      await regtar('push', fixturePath, registry.host, '--no-progress');
      const pushed = await listRegistry(registry);
      expect(pushed.map(({ repository, tag, digest }) => [`${repository}:${tag}`, digest])).toEqual(
        expect.arrayContaining(Object.entries(tagDigests)),
      );
    } finally {
      await registry.stop();
    }
  });
});

describe.each(['x64', 'arm64'])('the executable for %s', (architecture) => {
  it('asks for the libraries that the README names', () => {
    const text = readFileSync(join(standaloneFolder, `regtar-linux-${architecture}`)).toString('latin1');
    const newest = Math.max(...[...text.matchAll(/\0GLIBC_2\.(\d+)(?=\0)/g)].map(([, minor]) => Number(minor)));
    expect(readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')).toContain(`glibc 2.${newest}`);
    expect(text).toContain('\0libstdc++.so.6\0');
  });
});

/** Two runs never take the same time. */
function withoutTimes(output: string): string {
  return output.replace(/"(milliseconds|seconds|duration)": *[\d.]+/g, '');
}
