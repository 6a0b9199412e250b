import { beforeAll, describe, expect, it } from 'vitest';
import { createFilter } from '../../src/select/filter.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { selectCandidates } from '../../src/select/candidates.ts';
import { chosenCatalog, renameCatalog } from '../../src/select/shown-catalog.ts';
import { checkBlobs } from '../../src/serve/checked-blobs.ts';
import { createRoutes, type Routes, type RoutesOptions } from '../../src/serve/routes.ts';
import type { RegistryAnswer } from '../../src/serve/request.ts';
import type { OpenedStorage } from '../support/open-storage.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { openStorage } from './support/serve-storage.ts';
import { storagePaths } from '../support/storage-paths.ts';

const storage = buildStorage((s) => {
  const app = s.image('team/app', ['v1', 'V2', 'a', 'B', 'latest'], { format: 'oci' });
  const multi = s.index('team/multi', '1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
  const untagged = s.image('team/app', undefined, { format: 'oci', layers: ['untagged'] });
  const sbom = s.artifact('team/app', undefined, {
    artifactType: 'application/x.sbom',
    subject: app,
    annotations: { made: 'by hand' },
  });
  const signature = s.artifact('team/app', undefined, { artifactType: 'application/x.signature', subject: app });
  // A registry without the referrers API: the client keeps the list under a tag, and nothing says subject.
  const listed = s.artifact('old/app', undefined, { artifactType: 'application/x.sbom' });
  const old = s.image('old/app', '1', { format: 'oci' });
  const gone = { ...listed.descriptor, digest: `sha256:${'0'.repeat(64)}` };
  s.manifest(
    'old/app',
    old.digest.replace(':', '-'),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [listed.descriptor, gone],
    }),
  );
  const unlinked = s.image('lost/links', '1', { format: 'oci', layers: ['unlinked'] });
  for (const { digest } of unlinked.blobs) s.remove(storagePaths.layerLink('lost/links', digest));
  const alone = s.blob('nobody names it', 'team/app');
  const corrupt = s.image('bad/manifest', '1', { format: 'oci', layers: ['bad'] });
  s.corruptBlob(corrupt.digest);
  return { app, multi, untagged, sbom, signature, listed, old, unlinked, alone, corrupt };
});
const { built } = storage;

let opened: OpenedStorage;
let routes: Routes;
const routesOf = (options: Partial<RoutesOptions> = {}): Routes =>
  createRoutes({ ...opened, blobs: checkBlobs(opened.store), ...options });
beforeAll(async () => {
  const storageOpened = await openStorage(storage);
  opened = storageOpened;
  routes = routesOf();
  return storageOpened.close;
});

const get = (target: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<RegistryAnswer> =>
  routes({ method, target, headers });
const bytesOf = ({ body }: RegistryAnswer): Buffer =>
  Buffer.concat(body.map((piece) => (piece instanceof Uint8Array ? piece : Buffer.from('a blob'))));
const jsonOf = (answer: RegistryAnswer): unknown => JSON.parse(bytesOf(answer).toString('utf8'));
const refusal = async (target: string, method = 'GET'): Promise<[number, string]> => {
  const answer = await get(target, {}, method);
  return [answer.status, (jsonOf(answer) as { errors: { code: string }[] }).errors[0]?.code ?? ''];
};

describe('manifests', () => {
  it('come by tag and by digest with the bytes of the backup, whatever Accept says', async () => {
    for (const reference of ['v1', built.app.digest])
      for (const accept of ['*/*', 'application/vnd.docker.distribution.manifest.v1+json', 'text/html']) {
        const answer = await get(`/v2/team/app/manifests/${reference}`, { accept });
        expect(answer).toMatchObject({
          status: 200,
          headers: {
            'Content-Type': 'application/vnd.oci.image.manifest.v1+json',
            'Docker-Content-Digest': built.app.digest,
            ETag: `"${built.app.digest}"`,
            'Content-Length': String(built.app.bytes.length),
          },
        });
        expect(bytesOf(answer).equals(built.app.bytes)).toBe(true);
      }
  });

  it('answer HEAD with the same headers and nothing else, and 304 to whoever has them', async () => {
    const target = '/v2/team/app/manifests/v1';
    const { headers, body } = await get(target, {}, 'HEAD');
    expect({ headers, body }).toEqual({ headers: (await get(target)).headers, body: [] });
    expect((await get(target, { 'if-none-match': `"${built.app.digest}"` })).status).toBe(304);
  });

  it('that no tag names are there, and children of an index', async () => {
    expect((await get(`/v2/team/app/manifests/${built.untagged.digest}`)).status).toBe(200);
    for (const child of built.multi.children)
      expect((await get(`/v2/team/multi/manifests/${child.digest}`)).status).toBe(200);
  });

  it('of one repository are not in another', async () => {
    expect(await refusal(`/v2/team/app/manifests/${built.multi.digest}`)).toEqual([404, 'MANIFEST_UNKNOWN']);
    expect(await refusal(`/v2/team/multi/blobs/${built.app.blobs[0]?.digest}`)).toEqual([404, 'BLOB_UNKNOWN']);
  });

  it('that are damaged are unknown, and named', async () => {
    const told: string[] = [];
    routes = routesOf({ onDamage: ({ code }) => void told.push(code) });
    expect(await refusal('/v2/bad/manifest/manifests/1')).toEqual([404, 'MANIFEST_UNKNOWN']);
    expect(told).toEqual(['BLOB_CORRUPT']);
    routes = routesOf();
  });
});

describe('blobs', () => {
  it('are there that nothing but a link names, and those whose link was lost', async () => {
    expect((await get(`/v2/team/app/blobs/${built.alone}`)).status).toBe(200);
    for (const { digest } of built.unlinked.blobs)
      expect((await get(`/v2/lost/links/blobs/${digest}`)).status).toBe(200);
  });
});

it('a blob of another repository is looked for without holding others up', async () => {
  const large = await openStorage(
    buildStorage((s) => {
      for (let at = 0; at < 200; at++) s.image('large', `v${at}`);
      return s.image('other', '1');
    }),
  );
  const ask = createRoutes({ ...large, blobs: checkBlobs(large.store) });
  const [layer = ''] = large.catalog.layers('other');
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const { status } = await ask({ method: 'GET', target: `/v2/large/blobs/${layer}`, headers: {} });
  isOver = true;
  expect(status).toBe(404);
  expect(turns).toBeGreaterThan(2);
  await large.close();
});

describe('what is not there', () => {
  it.each<[string, number, string]>([
    ['/v2/team/app/manifests/none', 404, 'MANIFEST_UNKNOWN'],
    [`/v2/team/app/manifests/sha256:${'0'.repeat(64)}`, 404, 'MANIFEST_UNKNOWN'],
    [`/v2/team/app/blobs/sha256:${'0'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
    ['/v2/team/app/blobs/sha256:zz', 400, 'DIGEST_INVALID'],
    ['/v2/team/app/manifests/sha256:zz', 400, 'DIGEST_INVALID'],
    ['/v2/team/app/referrers/latest', 400, 'DIGEST_INVALID'],
    ['/v2/none/manifests/1', 404, 'NAME_UNKNOWN'],
    ['/v2/none/tags/list', 404, 'NAME_UNKNOWN'],
    ['/v2/Team/App/tags/list', 400, 'NAME_INVALID'],
    ['/v2/team/../team/app/tags/list', 400, 'NAME_INVALID'],
    ['/v2/%2e%2e/%2e%2e/etc/passwd/manifests/1', 400, 'NAME_INVALID'],
    ['/v2/team%00/app/tags/list', 400, 'NAME_INVALID'],
    [`/v2/${'a'.repeat(256)}/tags/list`, 400, 'NAME_INVALID'],
    ['/v2/t\u00e9am/tags/list', 400, 'NAME_INVALID'],
    ['/v2/team/app/manifests/..%2f..%2fetc', 404, 'NAME_UNKNOWN'],
    ['/v2/team/app/manifests/%ff', 404, 'NAME_UNKNOWN'],
    ['/v2/%zz/tags/list', 404, 'NAME_UNKNOWN'],
    ['/v1/_ping', 404, 'NAME_UNKNOWN'],
    ['/etc/passwd', 404, 'NAME_UNKNOWN'],
    ['/v2/team/app/blobs/uploads/', 404, 'NAME_UNKNOWN'],
    ['/__proto__', 404, 'NAME_UNKNOWN'],
    ['/v2/constructor/tags/list', 404, 'NAME_UNKNOWN'],
  ])('%s', async (target, status, code) => {
    expect(await refusal(target)).toEqual([status, code]);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s is not supported', async (method) => {
    expect(await refusal('/v2/team/app/blobs/uploads/', method)).toEqual([405, 'UNSUPPORTED']);
    expect((await get('/v2/team/app/manifests/v1', {}, method)).headers['Allow']).toBe('GET, HEAD');
  });

  it('escapes and whole URLs mean the same', async () => {
    expect((await get(`/v2/team%2Fapp/manifests/${built.app.digest.replace(':', '%3A')}`)).status).toBe(200);
    expect((await get('http://mirror.example.com/v2/team/app/manifests/v1')).status).toBe(200);
  });
});

describe('lists', () => {
  it('of repositories come in code point order, a page at a time', async () => {
    const all = ['bad/manifest', 'lost/links', 'old/app', 'team/app', 'team/multi'];
    expect(jsonOf(await get('/v2/_catalog'))).toEqual({ repositories: all });
    const pages: string[][] = [];
    for (let next = '/v2/_catalog?n=2'; next !== '';) {
      const answer = await get(next);
      pages.push((jsonOf(answer) as { repositories: string[] }).repositories);
      next = /^<(.*)>; rel="next"$/.exec(answer.headers['Link'] ?? '')?.[1] ?? '';
    }
    expect(pages).toEqual([all.slice(0, 2), all.slice(2, 4), all.slice(4)]);
  });

  it.each<[string, readonly string[], string | undefined]>([
    ['', ['a', 'B', 'latest', 'v1', 'V2'], undefined],
    ['?n=2', ['a', 'B'], '</v2/team/app/tags/list?n=2&last=B>; rel="next"'],
    ['?n=2&last=B', ['latest', 'v1'], '</v2/team/app/tags/list?n=2&last=v1>; rel="next"'],
    ['?n=2&last=v1', ['V2'], undefined],
    ['?n=5', ['a', 'B', 'latest', 'v1', 'V2'], undefined],
    ['?last=between', ['B', 'latest', 'v1', 'V2'].slice(1), undefined],
    ['?n=', ['a', 'B', 'latest', 'v1', 'V2'], undefined],
    ['?n=99999999999999999999', ['a', 'B', 'latest', 'v1', 'V2'], undefined],
    ['?n=0', [], undefined],
    ['?n=3&last=zz', [], undefined],
  ])('of tags: %j', async (query, tags, link) => {
    const answer = await get(`/v2/team/app/tags/list${query}`);
    expect(jsonOf(answer)).toEqual({ name: 'team/app', tags });
    expect(answer.headers['Link']).toBe(link);
  });

  it.each(['-1', 'x', '1e9'])('refuse n=%s', async (number) => {
    expect(await refusal(`/v2/team/app/tags/list?n=${number}`)).toEqual([400, 'PAGINATION_NUMBER_INVALID']);
  });
});

describe('referrers', () => {
  const listed = async (target: string): Promise<{ digest: string; artifactType?: string }[]> =>
    (jsonOf(await get(target)) as { manifests: { digest: string; artifactType?: string }[] }).manifests;

  it('are what names the digest as its subject', async () => {
    const answer = await get(`/v2/team/app/referrers/${built.app.digest}`);
    expect(answer.headers).toMatchObject({ 'Content-Type': 'application/vnd.oci.image.index.v1+json' });
    expect(answer.headers['OCI-Filters-Applied']).toBeUndefined();
    const { manifests } = jsonOf(answer) as { manifests: unknown[] };
    expect(manifests).toHaveLength(2);
    expect(manifests).toContainEqual({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: built.sbom.digest,
      size: built.sbom.bytes.length,
      artifactType: 'application/x.sbom',
      annotations: { made: 'by hand' },
    });
  });

  it('are chosen by their type', async () => {
    const target = `/v2/team/app/referrers/${built.app.digest}?artifactType=application%2Fx.signature`;
    expect((await get(target)).headers['OCI-Filters-Applied']).toBe('artifactType');
    expect((await listed(target)).map(({ digest }) => digest)).toEqual([built.signature.digest]);
  });

  it('are also what a fallback tag lists, but for what is gone', async () => {
    expect((await listed(`/v2/old/app/referrers/${built.old.digest}`)).map(({ digest }) => digest)).toEqual([
      built.listed.digest,
    ]);
  });

  it('of nothing are none', async () => {
    expect(await listed(`/v2/team/app/referrers/sha256:${'0'.repeat(64)}`)).toEqual([]);
  });
});

describe('a mirror', () => {
  it('says for whom it answers', async () => {
    expect((await get('/v2/team/app/manifests/v1?ns=docker.io')).headers['OCI-Namespace']).toBe('docker.io');
    expect((await get('/v2/team/app/manifests/v1?ns=a%0d%0ab')).headers['OCI-Namespace']).toBeUndefined();
  });

  it('of one registry answers for no other', async () => {
    routes = routesOf({ namespaces: ['docker.io'] });
    expect((await get('/v2/team/app/manifests/v1?ns=docker.io')).status).toBe(200);
    expect((await get('/v2/team/app/manifests/v1')).status).toBe(200);
    expect(await refusal('/v2/team/app/manifests/v1?ns=quay.io')).toEqual([404, 'NAME_UNKNOWN']);
    routes = routesOf();
  });
});

describe('what is shown', () => {
  const shown = (include: readonly string[], maps: readonly string[] = []): Routes => {
    const filter = createFilter({ include });
    const rename = createRenamer({ maps });
    const candidates = selectCandidates(opened.catalog, opened.graph, { filter });
    return routesOf({ catalog: chosenCatalog(opened.catalog, opened.graph, candidates, rename) });
  };

  it('with filters is the chosen graphs with their referrers, and nothing else', async () => {
    routes = shown(['team/app:v1']);
    expect(jsonOf(await get('/v2/_catalog'))).toEqual({ repositories: ['team/app'] });
    expect(jsonOf(await get('/v2/team/app/tags/list'))).toEqual({ name: 'team/app', tags: ['v1'] });
    for (const reference of ['v1', built.app.digest, built.sbom.digest])
      expect((await get(`/v2/team/app/manifests/${reference}`)).status).toBe(200);
    for (const reference of ['latest', built.untagged.digest])
      expect(await refusal(`/v2/team/app/manifests/${reference}`)).toEqual([404, 'MANIFEST_UNKNOWN']);
    expect(await refusal(`/v2/team/app/blobs/${built.alone}`)).toEqual([404, 'BLOB_UNKNOWN']);
    expect(await refusal('/v2/team/multi/tags/list')).toEqual([404, 'NAME_UNKNOWN']);
    routes = routesOf();
  });

  it('has the names of a map, and two repositories of one name are one', async () => {
    routes = shown(['team/**'], ['team/*=infra/all']);
    expect(jsonOf(await get('/v2/infra/all/tags/list'))).toMatchObject({ tags: ['1', 'a', 'B', 'latest', 'v1', 'V2'] });
    expect((await get(`/v2/infra/all/blobs/${built.app.blobs[0]?.digest}`)).status).toBe(200);
    expect(await refusal('/v2/team/app/tags/list')).toEqual([404, 'NAME_UNKNOWN']);
    routes = routesOf();
  });

  it('is refused where one tag would mean two images', () => {
    expect(() => renameCatalog(opened.catalog, createRenamer({ maps: ['**=one'] }))).toThrow(
      expect.objectContaining({ code: 'OUTPUT_COLLISION' }),
    );
  });
});
