import { describe, expect, it } from 'vitest';
import { RegtarError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import {
  childrenFirst,
  createGraphReader,
  type GraphReader,
  imageBlobs,
  imagePlatforms,
  imageProblems,
  isSchema1,
} from '../../src/content/image-graph.ts';
import { readManifest } from '../../src/content/read-manifest.ts';
import { unreachedRevisions } from '../../src/content/unreached-revisions.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { formatPlatform } from '../../src/oci/platform.ts';
import { choosePlatforms } from '../../src/select/choose-platforms.ts';
import { verifyBackup } from '../../src/verify/verify.ts';
import { openTar } from '../support/open-storage.ts';
import { buildStorage, type Placed } from '../support/storage-builder.ts';

const name = { repository: 'app', tag: 'v1' };

describe('the graph of an image', () => {
  it('holds config and layers with their sizes, and the platform that the config says', async () => {
    const storage = buildStorage((s) => s.image('app', 'v1', { layers: ['a', 'b'], platform: 'linux/arm/v7' }));
    const { graph } = await openTar(storage);
    const node = graph.read(storage.built.digest);
    expect(node).toMatchObject({
      kind: 'image',
      descriptor: { mediaType: mediaTypes.dockerManifest, size: storage.built.bytes.length },
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
      missing: [],
      foreign: [],
    });
    expect(node.blobs).toEqual(storage.built.blobs);
    expect(imageProblems(node, name)).toEqual([]);
  });

  it('walks children before parents, each manifest and each blob once', async () => {
    const storage = buildStorage((s) => {
      const amd = s.image('app', undefined, { layers: ['base', 'amd'] });
      const arm = s.image('app', undefined, { layers: ['base', 'arm'], platform: 'linux/arm64' });
      const inner = s.index('app', undefined, [amd, arm]);
      return { amd, arm, inner, root: s.index('app', 'v1', [amd, inner, inner]) };
    });
    const { graph } = await openTar(storage);
    const { amd, arm, inner, root } = storage.built;
    const node = graph.read(root.digest);
    expect(childrenFirst(node).map(({ descriptor }) => descriptor.digest)).toEqual([
      amd.digest,
      arm.digest,
      inner.digest,
      root.digest,
    ]);
    const blobs = imageBlobs(node).map(({ digest }) => digest);
    expect(new Set(blobs)).toEqual(new Set([...amd.blobs, ...arm.blobs].map(({ digest }) => digest)));
    expect(blobs).toHaveLength(new Set(blobs).size);
  });

  it('names platforms once, without attestations', async () => {
    const storage = buildStorage((s) =>
      s.index('app', 'v1', [
        { platform: 'linux/amd64' },
        { platform: 'linux/arm64/v8' },
        { platform: 'unknown/unknown' },
        { platform: 'linux/amd64', layers: ['other'] },
      ]),
    );
    const { graph } = await openTar(storage);
    expect(imagePlatforms(graph.read(storage.built.digest)).map(formatPlatform)).toEqual([
      'linux/amd64',
      'linux/arm64/v8',
    ]);
  });

  it('takes the media type that the index says where the manifest says none', async () => {
    const storage = buildStorage((s) => {
      const child = s.image('app', undefined, { mediaType: false });
      const docker = { ...child.descriptor, mediaType: mediaTypes.dockerManifest };
      return s.manifest(
        'app',
        'v1',
        JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.dockerList, manifests: [docker] }),
        { mediaType: mediaTypes.dockerList },
      );
    });
    const { graph } = await openTar(storage);
    expect(graph.read(storage.built.digest).children[0]?.descriptor.mediaType).toBe(mediaTypes.dockerManifest);
  });

  it('entries of an index that are layers are its blobs: BuildKit keeps its cache so', async () => {
    const storage = buildStorage((s) => {
      const layer = s.blob('layer of a cache', 'app');
      const config = s.blob('{"layers":[],"records":[]}', 'app');
      const manifests = [
        { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: layer, size: 16 },
        { mediaType: 'application/vnd.buildkit.cacheconfig.v0', digest: config, size: 26 },
      ];
      const bytes = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
      return { layer, config, cache: s.manifest('app', 'cache', bytes, { mediaType: mediaTypes.ociIndex }) };
    });
    const { layer, config, cache } = storage.built;
    const { catalog, store, graph } = await openTar(storage);
    const node = graph.read(cache.digest);
    expect([node.children, node.lostChildren, imageProblems(node, name)]).toEqual([[], [], []]);
    expect(imageBlobs(node).map(({ digest }) => digest)).toEqual([layer, config]);
    const report = await verifyBackup({ catalog, store });
    expect([report.sound, report.images]).toEqual([true, { whole: 1, partial: 0, lost: 0 }]);
  });

  it('a lost layer of such an index makes it incomplete', async () => {
    const storage = buildStorage((s) => {
      const layer = s.blob('layer of a cache', 'app');
      s.loseBlob(layer);
      const manifests = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: 16 }];
      s.manifest('app', 'cache', JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }), {
        mediaType: mediaTypes.ociIndex,
      });
    });
    const { catalog, store } = await openTar(storage);
    expect((await verifyBackup({ catalog, store })).images).toEqual({ whole: 0, partial: 0, lost: 1 });
  });

  it('indexes that share their children are walked once each', async () => {
    const storage = buildStorage((s) => {
      // Each level names the one below twice more than before: 3^14 paths lead to the image.
      let level: Placed[] = [1, 2, 3].map((number) => s.image('app', undefined, { layers: [`${number}`] }));
      for (let depth = 0; depth < 13; depth++)
        level = ['a', 'b', 'c'].map((part) => s.index('app', undefined, level, { annotations: { part } }));
      return s.index('app', 'v1', level);
    });
    const { catalog, store } = await openTar(storage);
    const report = await verifyBackup({ catalog, store });
    expect(report.images).toEqual({ whole: 1, partial: 0, lost: 0 });
    const root = createGraphReader(store).read(storage.built.digest);
    const choice = { platforms: [{ os: 'linux', architecture: 's390x' }], sparse: false };
    expect(() => choosePlatforms(store, root, choice, 'app:v1')).toThrow(
      expect.objectContaining({ code: 'PLATFORM_UNAVAILABLE' }),
    );
  });

  it('foreign layers are absent on purpose', async () => {
    const storage = buildStorage((s) =>
      s.image('app', 'v1', { layers: ['base', { foreign: 'https://example.org/layer' }] }),
    );
    const { graph } = await openTar(storage);
    const node = graph.read(storage.built.digest);
    expect([node.foreign.length, node.missing.length, imageProblems(node, name).length]).toEqual([1, 0, 0]);
  });

  it('schema1 has its layers with the sizes as stored', async () => {
    const storage = buildStorage((s) => s.schema1('app', 'v1', { layers: ['a', 'b'] }));
    const { graph } = await openTar(storage);
    const node = graph.read(storage.built.digest);
    expect(isSchema1(node)).toBe(true);
    expect(node.blobs.map(({ size }) => size)).toEqual(storage.built.blobs.map(({ size }) => size));
  });
});

describe('what is lost', () => {
  it('a lost child takes its platform only', async () => {
    const storage = buildStorage((s) => {
      const index = s.index('app', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
      s.loseBlob(index.children[1]!.digest);
      return index;
    });
    const { graph } = await openTar(storage);
    const node = graph.read(storage.built.digest);
    expect(imagePlatforms(node).map(formatPlatform)).toEqual(['linux/amd64']);
    expect(imageProblems(node, name)).toMatchObject([
      { code: 'CHILD_MISSING', repository: 'app', tag: 'v1', digest: storage.built.children[1]!.digest },
    ]);
    expect(imageProblems(node, name)[0]?.message).toContain('linux/arm64');
  });

  it.each([
    ['damaged', 'BLOB_CORRUPT'],
    ['no manifest', 'MANIFEST_INVALID'],
  ] as const)('a child that is %s does not hide the others', async (kind, code) => {
    const storage = buildStorage((s) => {
      const good = s.image('app', undefined);
      const bad =
        kind === 'damaged'
          ? s.image('app', undefined, { layers: ['bad'] })
          : s.manifest('app', undefined, '{"nothing":1}');
      if (kind === 'damaged') s.corruptBlob(bad.digest);
      return { bad, index: s.index('app', 'v1', [bad, good]) };
    });
    const { graph } = await openTar(storage);
    const node = graph.read(storage.built.index.digest);
    expect(node.children).toHaveLength(1);
    expect(node.lostChildren).toMatchObject([{ descriptor: { digest: storage.built.bad.digest }, problem: { code } }]);
  });

  it('a lost layer and a lost config are named', async () => {
    const storage = buildStorage((s) => {
      const image = s.image('app', 'v1');
      for (const { digest } of image.blobs) s.loseBlob(digest);
      return image;
    });
    const { graph } = await openTar(storage);
    const node = graph.read(storage.built.digest);
    expect(node.missing.map(({ digest }) => digest)).toEqual(storage.built.blobs.map(({ digest }) => digest));
    expect(imageProblems(node, name).map(({ code }) => code)).toEqual(['BLOB_MISSING', 'BLOB_MISSING']);
  });

  it('the root itself: an error with a code, the same each time', async () => {
    const storage = buildStorage((s) => {
      const image = s.image('app', 'v1');
      s.corruptBlob(image.digest);
      return image;
    });
    const { graph } = await openTar(storage);
    for (let time = 0; time < 2; time++)
      expect(() => graph.read(storage.built.digest)).toThrow(
        expect.objectContaining({ code: 'BLOB_CORRUPT', where: { digest: storage.built.digest } }),
      );
  });

  it('nesting without end is cut off, and what is above the cut is read', async () => {
    const storage = buildStorage((s) => {
      let inner = s.image('app', undefined);
      for (let depth = 0; depth < 30; depth++) inner = s.index('app', undefined, [inner]);
      return s.index('app', 'v1', [inner, s.image('app', undefined, { layers: ['beside'] })]);
    });
    const { store } = await openTar(storage);
    const node = createGraphReader(store).read(storage.built.digest);
    expect(node.children).toHaveLength(2);
    expect(imageProblems(node, name).map(({ code }) => code)).toEqual(['MANIFEST_CYCLE']);
  });

  it('nesting is cut by what lies below, whatever was read before', async () => {
    const storage = buildStorage((s) => {
      const chain = [s.image('app', 'level0')];
      for (let depth = 1; depth <= 400; depth++)
        chain.push(s.index('app', `level${depth}`, [chain[depth - 1] as Placed]));
      return chain;
    });
    const { store } = await openTar(storage);
    const graph = createGraphReader(store);
    const nodes = storage.built.map(({ digest }) => graph.read(digest));
    expect(Math.max(...nodes.map(({ levelsBelow }) => levelsBelow))).toBeLessThanOrEqual(16);
    expect(nodes.slice(0, 17).flatMap((node) => imageProblems(node, name))).toEqual([]);
    expect(imageProblems(nodes[17]!, name).map(({ code }) => code)).toEqual(['MANIFEST_CYCLE']);
  });

  it('tens of thousands of children that are not there cost little', async () => {
    const manifests = Array.from({ length: 20_000 }, (_, number) => ({
      mediaType: mediaTypes.ociManifest,
      digest: `sha256:${number.toString(16).padStart(64, '0')}`,
      size: 1,
    }));
    const storage = buildStorage((s) =>
      [1, 2, 3, 4, 5, 6].map((number) =>
        s.manifest(
          'app',
          `v${number}`,
          JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, number, manifests }),
        ),
      ),
    );
    const { store } = await openTar(storage);
    const graph = createGraphReader(store);
    const before = process.memoryUsage().heapUsed;
    const nodes = storage.built.map(({ digest }) => graph.read(digest));
    expect(nodes.map((node) => node.lostChildren.length)).toEqual(nodes.map(() => 20_000));
    expect((process.memoryUsage().heapUsed - before) / nodes.length).toBeLessThan(16 * 2 ** 20);
  });
});

it('a layer that somebody names as a manifest is refused by its size', async () => {
  const storage = buildStorage((s) => s.blob(Buffer.alloc(5 * 1024 * 1024), 'app'));
  const { store } = await openTar(storage);
  expect(() => readManifest(store, storage.built)).toThrow(expect.objectContaining({ code: 'MANIFEST_TOO_LARGE' }));
});

it.each([
  ['a bug', new TypeError('x is undefined')],
  ['a source that changed', new RegtarError('SOURCE_CHANGED', 'the backup changed')],
])('unreached revisions pass on %s', (_, error) => {
  const digest = digestOf(Buffer.from('any'));
  const graph: GraphReader = {
    read: () => {
      throw error;
    },
  };
  expect(() => unreachedRevisions(graph, [], [digest])).toThrow(error);
});

it('unreached revisions are those that no tag and no index reaches, lost children of an index are reached', async () => {
  const storage = buildStorage((s) => {
    s.image('app', 'v1', { layers: ['tagged'] });
    const index = s.index('app', 'v2', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
    s.loseBlob(index.children[0]!.digest);
    const loose = s.index('app', undefined, [{ platform: 'linux/s390x' }]);
    return [loose.digest, s.image('app', undefined, { layers: ['alone'] }).digest].sort();
  });
  const { catalog, graph } = await openTar(storage);
  expect(
    unreachedRevisions(
      graph,
      [...catalog.tags('app')].map(({ digest }) => digest),
      [...catalog.revisions('app')],
    ),
  ).toEqual(storage.built);
});
