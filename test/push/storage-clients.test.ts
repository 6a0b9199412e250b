import { mkdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckReport } from '../../src/check/contract.ts';
import { forEachParallel } from '../../src/io/parallel.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { collectGarbage } from '../support/collect-garbage.ts';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { generateBackup, type GeneratedBackup } from '../support/generate-backup.ts';
import { describeWith } from '../support/peers.ts';
import { listRegistry } from '../support/read-registry.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { regtarJson } from '../e2e/support/regtar.ts';
import { statuses, push, type PushReport } from './support/regtar.ts';

const folder = temporaryFolder();
let backup: GeneratedBackup;
beforeAll(() => {
  // Enough bytes for the threads that copy large storages.
  backup = generateBackup(
    {
      name: 'many',
      images: 500,
      repositories: 60,
      bytes: 30_000_000,
      baseImages: 12,
      largestLayer: 1_500_000,
      smallestLayer: 200,
      seed: 13,
    },
    folder.path,
  );
});
afterAll(() => folder.remove());

const nameOf = ({ repository, tag }: { readonly repository: string; readonly tag?: string }): string =>
  `${repository}:${tag ?? ''}`;

describe.each(['docker-registry', 'distribution'] as const)('%s, filled through its storage', (software) => {
  describeWith([software, 'skopeo'], 'with 500 images', () => {
    let registry: Registry;
    let report: PushReport;
    let digests: ReadonlyMap<string, string>;
    const reportFile = folder.file(`${software}.report.json`);

    beforeAll(async () => {
      const storage = folder.file(`${software}-storage`);
      mkdirSync(storage);
      registry = await startRegistry({ software, storage, accessLog: true });
      const result = await push(backup.file, registry.host, { args: ['--storage', storage, '--report', reportFile] });
      expect([result.code, statuses(result)]).toEqual([0, { copied: 500 }]);
      ({ report } = result);
      digests = new Map(report.images.map((image) => [nameOf(image), image.digest ?? '']));
    });
    afterAll(() => registry.stop());

    it('has seen no upload, and little but manifests', () => {
      const requests = registry.requests();
      expect(requests.filter(({ path }) => path.includes('/blobs/'))).toEqual([]);
      expect(requests.filter(({ method, status }) => method === 'PUT' && status === 201).length).toBeGreaterThan(500);
      expect(report.blobs.placed).toBeGreaterThan(500);
      expect(report.unnamedBlobs).toBeUndefined();
    });

    it('is what the report says, blob by blob', async () => {
      const args = ['check', registry.host, '--report', reportFile, '--deep', '--plain-http'];
      const { images, differences } = await regtarJson<CheckReport>(args);
      expect([images.checked, images.same, differences]).toEqual([500, 500, []]);
    });

    it('gives skopeo what was pushed', async () => {
      const sample = [...digests].filter((_entry, index) => index % 40 === 7);
      await forEachParallel(sample, 2, async ([name, digest]) => {
        const out = folder.file(`${software}-${name.replaceAll(/\W/g, '-')}`);
        await run('skopeo', [
          '--insecure-policy',
          'copy',
          '--all',
          '-q',
          '--src-tls-verify=false',
          `docker://${registry.host}/${name}`,
          `dir:${out}`,
        ]);
        expect([name, digestOf(readFileSync(`${out}/manifest.json`))]).toEqual([name, digest]);
      });
    });

    it('loses nothing to a garbage collection, and is the same when it starts anew', async () => {
      const stdout = await collectGarbage(software, registry.storage);
      expect(stdout).toContain('0 blobs and 0 manifests eligible for deletion');
      await registry.stop();
      registry = await startRegistry({ software, storage: registry.storage, accessLog: true });
      const found = await listRegistry(registry);
      expect(new Map(found.map((each) => [nameOf(each), each.digest]))).toEqual(digests);
    });
  });
});

describeWith(['docker-registry', 'skopeo', 'podman', 'runc'], 'the fixture, filled through the storage', () => {
  let registry: Registry;
  let engine: Podman;
  beforeAll(async () => {
    const storage = folder.file('fixture-storage');
    mkdirSync(storage);
    registry = await startRegistry({ storage });
    expect((await push(fixturePath, registry.host, { args: ['--storage', storage] })).code).toBe(0);
    engine = createPodman();
  });
  afterAll(async () => {
    await engine.stop();
    await registry.stop();
  });

  it('is pulled whole by skopeo', async () => {
    // Debian's skopeo copies no index inside an index, and drops the artifactType of an index's descriptors.
    const tags = expected.tags.filter(({ repository, tag }) => !/suite$/.test(repository) && !/^sha256-\w+$/.test(tag));
    expect(tags.length).toBeGreaterThan(13);
    await forEachParallel(tags, 2, async (each) => {
      const out = folder.file(`skopeo-${nameOf(each).replaceAll(/\W/g, '-')}`);
      const from = `docker://${registry.host}/${nameOf(each)}`;
      await run('skopeo', ['--insecure-policy', 'copy', '--all', '-q', '--src-tls-verify=false', from, `dir:${out}`]);
      expect([nameOf(each), digestOf(readFileSync(`${out}/manifest.json`))]).toEqual([nameOf(each), each.digest]);
    });
  });

  it('runs in podman', async () => {
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
    const runnable = expected.runnable.filter(({ platform }) => platform === `linux/${architecture}`);
    for (const { repository, tag, prints } of runnable.filter((each) => /^base$|multi|web/.test(each.repository))) {
      const name = `${registry.host}/${repository}:${tag}`;
      await engine.podman(['pull', '-q', '--tls-verify=false', name]);
      expect((await engine.podman(['run', '--rm', name])).stdout).toBe(`${prints}\n`);
    }
  });
});
