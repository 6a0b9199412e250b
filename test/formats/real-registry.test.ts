import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { childrenFirst } from '../../src/content/image-graph.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { openPath, type OpenedStorage } from '../support/open-storage.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const accept = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerSchema1Signed,
].join(', ');

/** What years, crashes, deletions and odd clients leave behind. */
const odd = () =>
  buildStorage((s) => {
    const nginx = s.image('library/nginx', ['1.27', 'latest', 'UPPER_case.1-x', '0'], { layers: ['base', 'nginx'] });
    s.image('library/nginx/modules', 'v1', { format: 'oci', mediaType: false });
    s.image('a/b/c/d/e/f', 'v1', { format: 'oci' });
    s.image('single', 'v1');
    s.image('name.with_odd__parts/and---dashes', 'v1');
    s.index(
      'multi/docker',
      'v1',
      [
        { platform: 'linux/amd64', format: 'docker' },
        { platform: 'linux/arm/v7', format: 'docker' },
      ],
      { format: 'docker' },
    );
    s.index('multi/oci', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
    s.index('multi/empty', 'v1', []);
    const inner = s.index('multi/nested', 'inner', [{ platform: 'linux/amd64' }]);
    s.index('multi/nested', 'v1', [inner, { platform: 'unknown/unknown' }]);
    s.loseBlob(
      s.index('multi/sparse', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/s390x', layers: ['gone'] }])
        .children[1]!.digest,
    );
    s.artifact('charts/app', '1.0.0', { body: 'a chart' });
    s.artifact('library/nginx', undefined, { subject: nginx, body: 'an SBOM' });
    s.signature(nginx);
    s.image('moved', 'latest', { layers: ['old'] });
    s.image('moved', 'latest', { layers: ['new'] });
    s.image('untagged', undefined);
    s.image('windows/app', 'v1', { layers: ['win', { foreign: 'https://example.org/layer' }] });
    const { digest } = s.image('spaces', 'v1');
    s.write(storagePaths.currentLink('spaces', 'v1'), digest);
    s.emptyTag('broken/empty-one', 'v1');
    s.image('broken/empty', 'v1');
    s.emptyTag('broken/empty', 'v1');
    s.image('broken/no-current', 'v1');
    s.loseTag('broken/no-current', 'v1');
    s.deleteRevision('broken/deleted', s.image('broken/deleted', 'v1', { layers: ['deleted'] }).digest);
    s.loseBlob(s.image('broken/manifest', 'v1', { layers: ['broken manifest'] }).digest);
    s.upload('library/nginx', 'c0ffee00-0000-4000-8000-000000000000');
  });

describeWith('docker-registry', 'a real registry on the same storage', () => {
  let folder: TemporaryFolder;
  let registry: Registry;

  beforeAll(async () => {
    folder = temporaryFolder();
    writeFileSync(folder.file('docker.tar'), odd().tar({ order: 'mixed' }));
    mkdirSync(folder.file('storage'));
    await run('tar', ['-xf', folder.file('docker.tar'), '-C', folder.file('storage')]);
    registry = await startRegistry({ storage: folder.file('storage') });
  });
  afterAll(async () => {
    await registry.stop();
    folder.remove();
  });

  const openBoth = async (): Promise<OpenedStorage[]> => [
    await openPath(folder.file('docker.tar')),
    await openPath(folder.file('storage')),
  ];
  const ask = async (path: string, method = 'GET'): Promise<Response> =>
    fetch(`${registry.url}/v2/${path}`, { method, headers: { accept } });
  const head = async (
    repository: string,
    reference: string,
  ): Promise<{ digest: string | null; type: string | null; size: number } | undefined> => {
    const answer = await ask(`${repository}/manifests/${reference}`, 'HEAD');
    return answer.ok
      ? {
          digest: answer.headers.get('docker-content-digest'),
          type: answer.headers.get('content-type'),
          size: Number(answer.headers.get('content-length')),
        }
      : undefined;
  };

  it('lists the same repositories, as far as it knows them: it goes by their layer links', async () => {
    const { repositories } = (await (await ask('_catalog?n=1000')).json()) as { repositories: string[] };
    for (const { catalog } of await openBoth()) {
      expect([...catalog.repositories()].filter((repository) => [...catalog.layers(repository)].length > 0)).toEqual(
        repositories.sort(),
      );
      expect([...catalog.repositories()].filter((repository) => !repositories.includes(repository))).toEqual([
        'broken/empty-one',
        'multi/empty',
      ]);
    }
  });

  it('lists the same tags, those that mean nothing included', async () => {
    for (const { catalog } of await openBoth()) {
      for (const repository of catalog.repositories()) {
        const answer = (await (await ask(`${repository}/tags/list`)).json()) as { tags?: string[] | null };
        const ours = [...catalog.tags(repository), ...catalog.lostTags(repository)].map(({ tag }) => tag).sort();
        expect(ours, repository).toEqual([...(answer.tags ?? [])].sort());
      }
    }
  });

  it('gives every tag the same digest, media type and size; where it answers 404, the tag is lost or a problem is said', async () => {
    for (const { catalog, graph } of await openBoth()) {
      for (const repository of catalog.repositories()) {
        for (const { tag, digest } of catalog.tags(repository)) {
          const theirs = await head(repository, tag);
          if (theirs === undefined) {
            const isSaid = catalog.problems.some((problem) => problem.repository === repository && problem.tag === tag);
            expect(isSaid || !isReadable(graph, digest), `${repository}:${tag}`).toBe(true);
            continue;
          }
          const { descriptor } = graph.read(digest);
          expect({ digest, type: descriptor.mediaType, size: descriptor.size }, `${repository}:${tag}`).toEqual(theirs);
        }
        for (const { tag } of catalog.lostTags(repository))
          expect(await head(repository, tag), `${repository}:${tag}`).toBeUndefined();
      }
    }
  });

  it('has the same manifests by digest, and serves every blob that we say an image has', async () => {
    const [{ catalog, graph, store }] = (await openBoth()) as [OpenedStorage];
    let compared = 0;
    for (const repository of catalog.repositories()) {
      for (const digest of catalog.revisions(repository)) {
        const theirs = await head(repository, digest);
        expect(isReadable(graph, digest), `${repository}@${digest}`).toBe(theirs !== undefined);
        if (theirs === undefined) continue;
        for (const node of childrenFirst(graph.read(digest))) {
          for (const blob of node.blobs) {
            const answer = await ask(`${repository}/blobs/${blob.digest}`, 'HEAD');
            expect(
              [answer.status, Number(answer.headers.get('content-length'))],
              `${repository} ${blob.digest}`,
            ).toEqual([200, store.stat(blob.digest)?.size]);
            compared++;
          }
          for (const blob of node.missing)
            expect((await ask(`${repository}/blobs/${blob.digest}`, 'HEAD')).status).toBe(404);
        }
      }
    }
    expect(compared).toBeGreaterThan(30);
  });

  it('what only we recover is exactly what the registry has lost', async () => {
    const [{ catalog, graph }] = (await openBoth()) as [OpenedStorage];
    const recovered: string[] = [];
    for (const repository of catalog.repositories()) {
      for (const { tag, digest } of catalog.tags(repository))
        if (isReadable(graph, digest) && (await head(repository, tag)) === undefined)
          recovered.push(`${repository}:${tag}`);
    }
    expect(recovered).toEqual(['broken/deleted:v1', 'broken/empty:v1']);
    expect(catalog.problems.map(({ code, repository }) => `${code} ${repository}`)).toEqual(
      expect.arrayContaining([
        'TAG_REVISION_MISSING broken/deleted',
        'LINK_RECOVERED broken/empty',
        'TAG_NO_CURRENT broken/no-current',
      ]),
    );
  });
});

function isReadable(graph: OpenedStorage['graph'], digest: Parameters<OpenedStorage['graph']['read']>[0]): boolean {
  try {
    graph.read(digest);
    return true;
  } catch {
    return false;
  }
}
