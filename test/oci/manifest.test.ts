import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { parseImageConfig } from '../../src/oci/image-config.ts';
import { childManifests, manifestBlobs, parseManifest } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';

const one = digestOf(Buffer.from('one'));
const two = digestOf(Buffer.from('two'));
const config = { mediaType: mediaTypes.ociConfig, digest: one, size: 1 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: two, size: 2 };
const bytes = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const parse = (value: unknown, expected?: string) => parseManifest(bytes(value), expected);

describe('what a manifest is', () => {
  it.each<[string, unknown, string | undefined, string, string]>([
    [
      'docker schema2',
      { schemaVersion: 2, mediaType: mediaTypes.dockerManifest, config, layers: [layer] },
      undefined,
      'image',
      mediaTypes.dockerManifest,
    ],
    [
      'OCI with its type',
      { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] },
      undefined,
      'image',
      mediaTypes.ociManifest,
    ],
    ['OCI without a type', { schemaVersion: 2, config, layers: [layer] }, undefined, 'image', mediaTypes.ociManifest],
    [
      'without a type, under an index that says docker',
      { schemaVersion: 2, config, layers: [layer] },
      mediaTypes.dockerManifest,
      'image',
      mediaTypes.dockerManifest,
    ],
    [
      'docker list',
      { schemaVersion: 2, mediaType: mediaTypes.dockerList, manifests: [] },
      undefined,
      'index',
      mediaTypes.dockerList,
    ],
    [
      'OCI index',
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [layer] },
      undefined,
      'index',
      mediaTypes.ociIndex,
    ],
    ['OCI index without a type', { schemaVersion: 2, manifests: [] }, undefined, 'index', mediaTypes.ociIndex],
    [
      'OCI index whose list is null',
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: null },
      undefined,
      'index',
      mediaTypes.ociIndex,
    ],
    [
      'OCI index without a list',
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex },
      undefined,
      'index',
      mediaTypes.ociIndex,
    ],
    [
      'its own type wins over what the index says',
      { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] },
      mediaTypes.dockerManifest,
      'image',
      mediaTypes.ociManifest,
    ],
    [
      'artifact manifest',
      { mediaType: mediaTypes.ociArtifact, artifactType: 'x/y', blobs: [layer] },
      undefined,
      'image',
      mediaTypes.ociArtifact,
    ],
    [
      'schema1',
      { schemaVersion: 1, name: 'a', tag: 'b', architecture: 'amd64', fsLayers: [{ blobSum: one }], history: [] },
      undefined,
      'schema1',
      mediaTypes.dockerSchema1,
    ],
    [
      'signed schema1',
      { schemaVersion: 1, fsLayers: [{ blobSum: one }], signatures: [] },
      undefined,
      'schema1',
      mediaTypes.dockerSchema1Signed,
    ],
  ])('%s', (_title, value, expected, kind, mediaType) =>
    expect(parse(value, expected)).toMatchObject({ kind, mediaType }),
  );

  it.each<[string, unknown]>([
    ['nothing', ''],
    ['no JSON', '{"schemaVersion":2'],
    ['a list', []],
    ['null', 'null'],
    ['a number', '2'],
    ['an empty object', {}],
    ['neither config nor layers', { schemaVersion: 2, mediaType: mediaTypes.ociManifest }],
    ['layers that are not a list', { config, layers: 'all' }],
    ['a layer that is not an object', { config, layers: [1] }],
    ['a digest that is none', { config: { ...config, digest: 'sha256:12' }, layers: [] }],
    ['a digest in upper case', { config: { ...config, digest: one.toUpperCase() }, layers: [] }],
    ['a size that is not a number', { config: { ...config, size: '1' }, layers: [] }],
    ['a negative size', { config: { ...config, size: -1 }, layers: [] }],
    ['a size that is not a whole number', { config: { ...config, size: 1.5 }, layers: [] }],
    [
      'a size beyond what numbers hold',
      `{"config":{"mediaType":"a","digest":"${one}","size":9007199254740993},"layers":[]}`,
    ],
    ['a platform without an architecture', { manifests: [{ ...layer, platform: { os: 'linux' } }] }],
    ['annotations that are not text', { config, layers: [], annotations: { a: 1 } }],
    ['a subject that is none', { config, layers: [], subject: 'sha256:12' }],
    ['a media type that is not text', { mediaType: 7, config, layers: [] }],
  ])('%s is none', (_title, value) => {
    expect(() => parse(value)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }));
  });

  it('whatever the bytes are, they are a manifest or MANIFEST_INVALID', () => {
    const near = fc.record(
      {
        mediaType: fc.oneof(fc.constantFrom(...Object.values(mediaTypes)), fc.jsonValue()),
        config: fc.oneof(fc.constant(config), fc.jsonValue()),
        layers: fc.oneof(fc.array(fc.oneof(fc.constant(layer), fc.jsonValue())), fc.jsonValue()),
        manifests: fc.jsonValue(),
        fsLayers: fc.jsonValue(),
        subject: fc.jsonValue(),
        annotations: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(near.map(bytes), fc.json().map(bytes), fc.uint8Array()), (some) => {
        try {
          const manifest = parseManifest(some);
          for (const { digest, size } of [...manifestBlobs(manifest), ...childManifests(manifest)]) {
            expect(digest).toMatch(/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/);
            expect(Number.isSafeInteger(size)).toBe(true);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'MANIFEST_INVALID' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what it says', () => {
  it('config first, then layers, each digest once', () => {
    expect(
      manifestBlobs(parse({ config, layers: [layer, layer, { ...layer, digest: one }] })).map(({ digest }) => digest),
    ).toEqual([one, two]);
    expect(
      manifestBlobs(parse({ schemaVersion: 1, fsLayers: [{ blobSum: two }, { blobSum: two }, { blobSum: one }] })),
    ).toMatchObject([{ digest: two, size: -1 }, { digest: one }]);
    expect(manifestBlobs(parse({ manifests: [{ ...layer, mediaType: mediaTypes.ociManifest }] }))).toEqual([]);
    // An index may name layers themselves, as BuildKit's caches do: they are blobs and no children.
    expect(manifestBlobs(parse({ manifests: [layer] }))).toEqual([layer]);
    expect(childManifests(parse({ manifests: [layer] }))).toEqual([]);
  });

  it('children with their platforms and annotations; a subject is not a child', () => {
    const child = {
      ...layer,
      mediaType: mediaTypes.ociManifest,
      platform: { os: 'linux', architecture: 'arm', variant: 'v7', 'os.version': '1', features: ['x'] },
      annotations: { a: 'b' },
    };
    const manifest = parse({ mediaType: mediaTypes.ociIndex, manifests: [child], subject: config });
    expect(childManifests(manifest)).toEqual([
      {
        ...layer,
        mediaType: mediaTypes.ociManifest,
        platform: { os: 'linux', architecture: 'arm', variant: 'v7', 'os.version': '1' },
        annotations: { a: 'b' },
      },
    ]);
    expect(manifest.subject).toEqual(config);
    expect(childManifests(parse({ config, layers: [layer] }))).toEqual([]);
  });

  it('urls of foreign layers, artifact types, and what null stands for', () => {
    const manifest = parse({
      artifactType: 'a/b',
      config,
      layers: [{ ...layer, urls: ['https://example.org'] }],
      annotations: null,
      subject: null,
    });
    expect(manifest).toMatchObject({
      artifactType: 'a/b',
      layers: [{ urls: ['https://example.org'] }],
      annotations: {},
      subject: undefined,
    });
  });
});

describe('image configs', () => {
  it('give the platform and the diff IDs', () => {
    expect(
      parseImageConfig(
        bytes({ os: 'linux', architecture: 'arm', variant: 'v7', created: '2024', rootfs: { diff_ids: [one] } }),
      ),
    ).toEqual({ platform: { os: 'linux', architecture: 'arm', variant: 'v7' }, created: '2024', diffIds: [one] });
    expect(
      parseImageConfig(
        bytes({ os: 'linux', architecture: 'amd64', variant: '', created: null, rootfs: { diff_ids: null } }),
      ),
    ).toEqual({ platform: { os: 'linux', architecture: 'amd64' }, created: undefined, diffIds: [] });
  });

  it("an artifact's config has neither", () =>
    expect(parseImageConfig(bytes({}))).toEqual({ platform: undefined, created: undefined, diffIds: [] }));

  it.each(['', '{', '[]x', '"text"'])('%j is none', (text) => expect(parseImageConfig(bytes(text))).toBeUndefined());
});
