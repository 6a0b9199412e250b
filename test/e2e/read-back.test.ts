import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expected, fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { readDockerArchive } from '../support/read-docker-archive.ts';
import { readLayout, readLayoutArchive } from '../support/read-layout.ts';
import { listRegistry, readRegistryImage } from '../support/read-registry.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { allDigests, digestOfTag, referrerDigests, tagDigests } from './support/expected-images.ts';
import { digestsOf, dirTreeImages, layoutImages, layoutTreeImages } from './support/read-outputs.ts';
import { regtarDone, regtarJson } from './support/regtar.ts';
import { nameOf, type CopyReport } from './support/reports.ts';
import { snapshot } from './support/snapshot.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Exports everything that the fixture holds. @returns OUT */
async function exportAll(name: string, ...flags: string[]): Promise<string> {
  const out = folder.file(name);
  await regtarDone(['export', fixturePath, out, '--untagged', ...flags]);
  return out;
}

/** No image, and so in no docker-archive. */
const isNoImage = (name: string): boolean => name.startsWith('charts/') || name.includes(':sha256-');

describe('every image of the backup, read back byte for byte', () => {
  it('from an OCI layout', async () => {
    expect(digestsOf(layoutImages(await readLayout(await exportAll('oci'))))).toEqual(allDigests);
  });

  it('from an OCI archive', async () => {
    expect(digestsOf(layoutImages(await readLayoutArchive(await exportAll('oci.tar'))))).toEqual(allDigests);
  });

  it('from one layout for each repository', async () => {
    const out = await exportAll('per-repository', '--per-repository');
    expect(digestsOf(await layoutTreeImages(out))).toEqual(allDigests);
    expect(existsSync(join(out, 'index.json'))).toBe(false);
  });

  it('from a tree of dir folders', async () => {
    expect(digestsOf(await dirTreeImages(await exportAll('dir', '--format', 'dir')))).toEqual(allDigests);
  });

  it('from a docker-archive: every image, one platform of each', async () => {
    const out = folder.file('docker-archive.tar');
    const { images } = await regtarJson<CopyReport>([
      'export',
      fixturePath,
      out,
      '--format',
      'docker-archive',
      '--platform',
      'linux/amd64',
    ]);
    const archive = await readDockerArchive(out);
    const names = Object.keys(tagDigests).filter((name) => !isNoImage(name));
    expect(archive.images.flatMap(({ repoTags }) => repoTags).sort()).toEqual(names.sort());
    expect(
      images
        .filter(({ status }) => status === 'copied')
        .map(nameOf)
        .sort(),
    ).toEqual(names);
    const leftOut = images.filter(({ status }) => status !== 'copied');
    expect(leftOut.map(nameOf).sort()).toEqual(
      [...Object.keys(tagDigests).filter(isNoImage), ...Object.keys(referrerDigests)].sort(),
    );
    for (const image of leftOut)
      expect(image).toMatchObject({ status: 'skipped', error: { code: 'MANIFEST_UNSUPPORTED' } });
    for (const { config } of archive.images) expect([config.os, config.architecture]).toEqual(['linux', 'amd64']);
    const digests = archive.layout === undefined ? {} : digestsOf(layoutImages(archive.layout));
    for (const { repository, tag, digest, mediaType } of expected.tags) {
      const name = `${repository}:${tag}`;
      if (isNoImage(name)) continue;
      if (/index|list/.test(mediaType))
        expect(
          expected.revisions.filter((each) => each.repository === repository).map((each) => each.digest),
        ).toContain(digests[name]);
      else expect(digests[name]).toBe(digest);
    }
  });
});

describeWith('docker-registry', 'every image of the backup, answered by a real registry', () => {
  const answersAll = async (
    registry: Registry,
    isAlsoThere: (name: string) => boolean = () => false,
  ): Promise<void> => {
    const tags = (await listRegistry(registry)).filter((tag) => !isAlsoThere(nameOf(tag)));
    expect(tags).toEqual(
      expected.tags.map(({ repository, tag, digest, mediaType, size }) => ({
        repository,
        tag,
        digest,
        mediaType,
        size,
      })),
    );
    for (const { repository, digest } of expected.revisions)
      expect((await readRegistryImage(registry, repository, digest)).digest).toBe(digest);
  };
  const serving = async (storage: string, body: (registry: Registry) => Promise<void>): Promise<void> => {
    const registry = await startRegistry({ storage });
    try {
      await body(registry);
    } finally {
      await registry.stop();
    }
  };

  it('out of an exported storage folder', async () => {
    await serving(await exportAll('storage', '--format', 'registry'), answersAll);
  });

  it('out of an exported storage archive', async () => {
    const out = await exportAll('storage.tar', '--format', 'registry');
    const unpacked = temporaryFolder();
    await run('tar', ['-xf', out, '-C', unpacked.path]);
    await serving(unpacked.path, answersAll).finally(() => unpacked.remove());
  });

  it('a backup of a backup is the same backup', async () => {
    const first = await exportAll('first', '--format', 'registry');
    await regtarDone(['export', first, folder.file('second'), '--format', 'registry', '--untagged']);
    expect(snapshot(folder.file('second'))).toEqual(snapshot(first));
    const archive = await exportAll('first.tar', '--format', 'registry');
    await regtarDone(['export', archive, folder.file('second.tar'), '--format', 'registry', '--untagged']);
    expect(snapshot(folder.file('second.tar'))).toEqual(snapshot(archive));
    expect((await regtarDone(['list', archive, '--untagged'])).stdout).toBe(
      (await regtarDone(['list', fixturePath, '--untagged'])).stdout,
    );
  });

  it('names in storage can be changed on the way', async () => {
    const out = await exportAll('renamed', '--format', 'registry', '--project', 'kept', '--map', 'tools/*=old/deep/*');
    const names = (await regtarDone(['list', out])).stdout.trim().split('\n');
    expect(names).toEqual(expect.arrayContaining(['kept/base:1', 'old/deep/hello:1.1', 'base/extra:zstd']));
    expect(names.filter((name) => name.startsWith('tools/') || name === 'base:1')).toEqual([]);
    await serving(out, async (registry) =>
      expect((await readRegistryImage(registry, 'old/deep/multi', '1.0')).digest).toBe(digestOfTag('tools/multi:1.0')),
    );
  });

  describe('after a push', () => {
    let registry: Registry;
    let report: CopyReport;
    beforeAll(async () => {
      registry = await startRegistry();
      report = await regtarJson<CopyReport>(['push', fixturePath, registry.host, '--untagged']);
    });
    afterAll(() => registry.stop());

    it('all are there, tags, media types, children, referrers and untagged ones', async () => {
      // This registry keeps no referrers itself, so whoever pushes one keeps the list of them under a tag.
      const { digest } = expected.tags.find((each) => nameOf(each) === 'base:1') ?? { digest: '' };
      const fallback = `base:${digest.replace(':', '-')}`;
      await answersAll(registry, (name) => name === fallback);
      expect((await listRegistry(registry)).map(nameOf)).toContain(fallback);
      expect(Object.fromEntries(report.images.map((image) => [nameOf(image), image.digest]))).toEqual(allDigests);
      expect(new Set(report.images.map(({ status }) => status))).toEqual(new Set(['copied']));
    });

    it('a second push sends nothing', async () => {
      const again = await regtarJson<CopyReport>(['push', fixturePath, registry.host, '--untagged']);
      expect(again.blobs).toMatchObject({ copied: 0, mounted: 0, bytes: 0 });
      expect(new Set(again.images.map(({ status }) => status))).toEqual(new Set(['present']));
    });

    describeWith('skopeo', 'skopeo', () => {
      it('reads the same bytes', async () => {
        for (const [name, digest] of Object.entries(tagDigests))
          expect([name, await rawDigest('--tls-verify=false', `docker://${registry.host}/${name}`)]).toEqual([
            name,
            digest,
          ]);
      });
    });
  });

  describeWith('skopeo', 'skopeo sync, with the line that export prints', () => {
    /** Runs the printed line. @returns digests by name, and what export said */
    const sync = async (
      out: string,
      ...flags: string[]
    ): Promise<{ digests: Record<string, string>; stderr: string; code: number }> => {
      const registry = await startRegistry();
      const work = temporaryFolder();
      try {
        const { stderr } = await regtarDone(
          ['export', fixturePath, out.replace('$PWD', work.path), '--format', 'dir', '--untagged', ...flags],
          { cwd: work.path },
        );
        const line = /^push it with: (skopeo sync .*)$/m.exec(stderr)?.[1] ?? '';
        const { code } = await run('sh', ['-c', syncHere(line, registry)], { cwd: work.path, allowFailure: true });
        const tags = await listRegistry(registry);
        const untagged = Object.keys(allDigests)
          .filter((name) => name.includes('@'))
          .map((name) => readRegistryImage(registry, name.split('@')[0] ?? '', name.split('@')[1] ?? ''));
        const images = (await Promise.allSettled(untagged)).flatMap((result, index) =>
          result.status === 'fulfilled'
            ? [[Object.keys(allDigests).filter((name) => name.includes('@'))[index], result.value.digest]]
            : [],
        );
        return {
          digests: Object.fromEntries([...tags.map((tag) => [nameOf(tag), tag.digest]), ...images]) as Record<
            string,
            string
          >,
          stderr,
          code,
        };
      } finally {
        work.remove();
        await registry.stop();
      }
    };
    const without = (...patterns: RegExp[]): Record<string, string> =>
      Object.fromEntries(
        Object.entries(allDigests).filter(([name]) => !patterns.some((pattern) => pattern.test(name))),
      );
    // Debian's skopeo drops the artifactType of an index's descriptors, and so refuses this one rather than to change its digest.
    const referrersIndex = /^team\/app\/web:sha256-/;

    it.each(['./out', '$PWD/out'])('takes the tree %s with the same names and digests', async (out) => {
      const { digests, stderr, code } = await sync(
        out,
        '--exclude',
        'team/app/web/suite',
        '--exclude',
        'team/app/web:sha256-*',
      );
      expect(digests).toEqual(without(/suite/, referrersIndex));
      expect(stderr).not.toContain('note:');
      expect(code).toBe(0);
    });

    it('goes on past an index inside an index, of which export says that skopeo cannot copy it', async () => {
      const { digests, stderr, code } = await sync('out');
      expect(stderr).toMatch(/^note: team\/app\/web\/suite:1 holds an index inside an index/m);
      expect({ ...allDigests, ...digests }).toEqual(allDigests);
      expect(digests).toMatchObject(without(/suite/, referrersIndex));
      expect(code).not.toBe(0);
    });
  });
});

describeWith('skopeo', 'skopeo, on the files', () => {
  it('reads the same bytes from each dir folder', async () => {
    const out = await exportAll('dir-skopeo', '--format', 'dir');
    for (const [name, digest] of Object.entries(tagDigests))
      expect([name, await rawDigest(`dir:${out}/${name}`)]).toEqual([name, digest]);
  });

  it('copies a multi-arch dir folder whole and unchanged', async () => {
    const out = await exportAll('dir-copied', '--format', 'dir');
    for (const name of ['team/app/web:2.0', 'tools/multi:1.0']) {
      const copy = folder.file(`copy-${name.replaceAll(/\W/g, '-')}`);
      await run('skopeo', [
        '--insecure-policy',
        'copy',
        '-q',
        '--all',
        '--preserve-digests',
        `dir:${out}/${name}`,
        `dir:${copy}`,
      ]);
      expect(snapshot(copy)).toEqual(snapshot(join(out, name)));
    }
  });

  it('reads the same bytes from a layout, wherever it finds the entry', async () => {
    const out = await exportAll('oci-skopeo');
    for (const { repository, tag, digest, mediaType } of expected.tags.filter(
      (each) => !each.tag.startsWith('sha256-'),
    )) {
      const found = await rawDigest(`oci:${out}:${repository}:${tag}`).catch(() => 'not found');
      // Before 1.14 or so skopeo does not look at docker-typed entries; newer ones must find these bytes.
      if (mediaType.includes('docker')) expect([digest, 'not found']).toContain(found);
      else expect([`${repository}:${tag}`, found]).toEqual([`${repository}:${tag}`, digest]);
    }
  });

  it('copies an OCI image out of a layout into dir with its digest', async () => {
    const out = await exportAll('oci-copied');
    await run('skopeo', [
      '--insecure-policy',
      'copy',
      '-q',
      '--preserve-digests',
      `oci:${out}:base:1`,
      `dir:${folder.file('base')}`,
    ]);
    expect(await rawDigest(`dir:${folder.file('base')}`)).toBe(digestOfTag('base:1'));
  });
});

describeWith('umoci', 'umoci', () => {
  it('unpacks OCI images of a layout by their names', async () => {
    const out = folder.file('oci-umoci');
    await regtarDone(['export', fixturePath, out, '--platform', 'linux/amd64']);
    for (const name of ['base:1', 'team/app/web:2.0']) {
      const bundle = folder.file(name.replaceAll(/\W/g, '-'));
      await run('umoci', ['unpack', '--rootless', '--image', `${out}:${name}`, bundle]);
      const printed = expected.runnable.find(
        ({ repository, tag, platform }) => `${repository}:${tag}` === name && platform === 'linux/amd64',
      )?.prints;
      if (process.arch === 'x64') expect((await run(join(bundle, 'rootfs/hello'), [])).stdout).toBe(`${printed}\n`);
    }
  });

  it('lists the tags of a layout of one repository', async () => {
    const out = await exportAll('per-umoci', '--per-repository');
    expect(
      (await run('umoci', ['list', '--layout', join(out, 'tools/hello')])).stdout.trim().split('\n').sort(),
    ).toEqual(expected.tags.filter(({ repository }) => repository === 'tools/hello').map(({ tag }) => tag));
  });
});

/** The digest of what `skopeo inspect --raw` prints. */
async function rawDigest(...args: string[]): Promise<string> {
  const { bytes } = await run('skopeo', ['--insecure-policy', 'inspect', '--raw', ...args]);
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The line as it was printed, to this registry instead of the example's, without TLS. */
function syncHere(line: string, registry: Registry): string {
  return line
    .replace('skopeo sync', 'skopeo --insecure-policy sync --dest-tls-verify=false')
    .replace('registry.example.com', registry.host);
}
