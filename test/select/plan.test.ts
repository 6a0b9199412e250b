import { describe, expect, it } from 'vitest';
import type { SinkTraits } from '../../src/content/contracts.ts';
import { formatPlatform, parsePlatform } from '../../src/oci/platform.ts';
import { formatImageReference } from '../../src/oci/reference.ts';
import { createFilter, type FilterOptions } from '../../src/select/filter.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { createPlan, type PlanOptions } from '../../src/select/create-plan.ts';
import type { Plan } from '../../src/select/plan.ts';
import { childrenFirst, imagePlatforms } from '../../src/content/image-graph.ts';
import { openTar } from '../support/open-storage.ts';
import { buildStorage, type StorageDescription } from '../support/storage-builder.ts';

const everything: SinkTraits = { schema1: true, indexes: true, artifacts: true, parallelBlobs: 2 };
const imagesOnly: SinkTraits = { schema1: false, indexes: false, artifacts: false, parallelBlobs: 1 };

async function plan<Built>(
  describe: (storage: StorageDescription) => Built,
  options: Partial<PlanOptions> & { readonly filters?: FilterOptions } = {},
): Promise<{ readonly plan: Plan; readonly built: Built; readonly names: readonly string[] }> {
  const storage = buildStorage(describe);
  const { catalog, store } = await openTar(storage);
  const made = createPlan(catalog, store, {
    filter: createFilter(options.filters ?? {}),
    rename: createRenamer({}),
    traits: everything,
    ...options,
  });
  return { plan: made, built: storage.built, names: made.images.map(({ source }) => formatImageReference(source)) };
}

describe('what travels', () => {
  const signed = (s: StorageDescription) => {
    const app = s.image('app', '1');
    return {
      app,
      signature: s.signature(app),
      sbom: s.artifact('app', undefined, { subject: app }),
      tagged: s.artifact('app', 'sbom', { subject: app }),
      lone: s.image('app', undefined, { layers: ['lone'] }),
    };
  };
  const nameOfSignature = ({ app }: { readonly app: { readonly digest: string } }): string =>
    `app:${app.digest.replace(':', '-')}.sig`;

  it('signatures and referrers come with an image that was chosen, tagged or not', async () => {
    const { built, names } = await plan(signed, { filters: { include: ['app:1'] } });
    expect([...names].sort()).toEqual(['app:1', 'app:sbom', nameOfSignature(built), `app@${built.sbom.digest}`].sort());
  });

  it('--no-referrers leaves all of them behind, whatever the filter says, but one that is asked for by name', async () => {
    expect((await plan(signed, { referrers: false })).names).toEqual(['app:1']);
    const wanted = new Set(['app:1', 'app:sbom']);
    expect((await plan(signed, { referrers: false, wanted, filters: { images: wanted } })).names).toEqual([
      'app:1',
      'app:sbom',
    ]);
  });

  it('--exclude holds for what refers to a chosen image, too', async () => {
    const { built, names } = await plan(signed, { filters: { exclude: ['app:sha256-*'] } });
    expect([...names].sort()).toEqual(['app:1', 'app:sbom', `app@${built.sbom.digest}`].sort());
  });

  it('--untagged adds what nothing reaches', async () => {
    const { built, names } = await plan(signed, { untagged: true });
    expect(names).toContain(`app@${built.lone.digest}`);
  });
});

describe('platforms', () => {
  const multi = (s: StorageDescription) => {
    const inner = s.index('multi', undefined, [
      { platform: 'linux/s390x' },
      { platform: 'linux/arm64/v8', layers: ['inner'] },
    ]);
    const attested = s.image('multi', undefined, { platform: 'linux/amd64', layers: ['amd'] });
    const attestation = {
      ...s.image('multi', undefined, { format: 'oci', platform: 'unknown/unknown', layers: ['provenance'] }),
    };
    const descriptor = {
      ...attestation.descriptor,
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': attested.digest,
      },
    };
    return {
      index: s.index('multi', '1', [attested, { platform: 'linux/arm64' }, { ...attestation, descriptor }, inner]),
      attested,
      attestation,
      inner,
    };
  };
  const chosen = async (...platforms: readonly string[]) => {
    const { plan: made, built } = await plan(multi, {
      platforms: platforms.map(parsePlatform),
      filters: { include: ['multi:1'] },
    });
    const [image] = made.images;
    if (image === undefined) throw new Error('nothing was chosen');
    return {
      image,
      built,
      digests: childrenFirst(image.node).map(({ descriptor }) => descriptor.digest),
      platforms: imagePlatforms(image.node).map(formatPlatform),
      notes: made.notes,
    };
  };

  it('none keeps everything as it is', async () => {
    const { image, built } = await chosen();
    expect(image.target.root.digest).toBe(built.index.digest);
    expect(image.rewritten).toBeUndefined();
  });

  it('one gives that image under the tag, its digest unchanged', async () => {
    const { image, built } = await chosen('linux/amd64');
    expect([image.target.tag, image.target.root.digest]).toEqual(['1', built.attested.digest]);
  });

  it('several give a new index whose attestations follow their images, and its digest is said', async () => {
    const { image, built, digests, platforms, notes } = await chosen('linux/amd64', 'linux/s390x');
    // A nested index follows the platform for which it is there, and keeps its digest.
    expect(platforms).toEqual(['linux/amd64', 'linux/s390x', 'linux/arm64/v8']);
    expect(digests).toContain(built.attestation.digest);
    expect(image.rewritten?.from).toBe(built.index.digest);
    const json = JSON.parse(Buffer.from(image.rewritten?.bytes ?? []).toString()) as {
      manifests: { digest: string }[];
    };
    expect(json.manifests.map(({ digest }) => digest)).toEqual([
      built.attested.digest,
      built.attestation.digest,
      built.inner.digest,
    ]);
    expect(notes).toEqual([
      {
        text: expect.stringContaining('new digest') as string,
        images: [{ name: 'multi:1', detail: `${image.target.root.digest} instead of ${built.index.digest}` }],
      },
    ]);
  });

  it('an attestation does not come without its image', async () => {
    const { digests, built } = await chosen('linux/arm64', 'linux/s390x');
    expect(digests).not.toContain(built.attestation.digest);
  });

  it('--sparse keeps the index and leaves the other children out', async () => {
    const { plan: made, built } = await plan(multi, {
      platforms: [parsePlatform('linux/amd64')],
      sparse: true,
      filters: { include: ['multi:1'] },
    });
    expect(made.images[0]?.target.root.digest).toBe(built.index.digest);
    expect(imagePlatforms(made.images[0]?.node as never).map(formatPlatform)).toEqual(['linux/amd64']);
  });
});

describe('what an output cannot hold', () => {
  it('is one group a reason, however many images it is', async () => {
    const { plan: made } = await plan(
      (s) => {
        for (const name of ['a', 'b', 'c', 'd', 'e']) s.signature(s.image(name, '1'));
        s.artifact('chart', '1');
        s.schema1('old', '1');
        s.image('windows', '1', { layers: ['x', { foreign: 'https://example.com/layer' }] });
      },
      { traits: imagesOnly },
    );
    expect(made.images.map(({ source }) => formatImageReference(source))).toEqual(['a:1', 'b:1', 'c:1', 'd:1', 'e:1']);
    const groups = new Map<string, number>();
    for (const { status, error } of made.refused) {
      expect(status).toBe('skipped');
      groups.set(`${error.code} ${error.message}`, (groups.get(`${error.code} ${error.message}`) ?? 0) + 1);
    }
    // Signatures and the chart are one: neither runs.
    expect([...groups.values()].sort()).toEqual([1, 1, 6]);
  });

  it('a platform that was chosen for the person is said once for all images', async () => {
    const { plan: made } = await plan(
      (s) => {
        for (const name of ['a', 'b']) s.index(name, '1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
      },
      { traits: imagesOnly },
    );
    expect(made.notes).toHaveLength(1);
    expect(made.notes[0]?.images.map(({ name }) => name)).toEqual(['a:1', 'b:1']);
  });
});

describe('names', () => {
  it('two images that would become one are refused before anything is written', async () => {
    const storage = (s: StorageDescription): void => {
      s.image('a/x', '1');
      s.image('b/x', '1');
    };
    await expect(plan(storage, { rename: createRenamer({ maps: ['*/x=x'] }) })).rejects.toMatchObject({
      code: 'OUTPUT_COLLISION',
    });
  });

  it.each([
    [{ maps: ['old/*=new/*'] }, 'old/app', 'new/app'],
    [{ maps: ['old/**=new/**'] }, 'old/a/b', 'new/a/b'],
    [{ maps: ['old/*=new/*'] }, 'old/a/b', 'old/a/b'],
    [{ project: 'library' }, 'nginx', 'library/nginx'],
    [{ project: 'library' }, 'team/nginx', 'team/nginx'],
    [{ maps: ['team/*=*'], project: 'p', prefix: 'x' }, 'team/nginx', 'x/p/nginx'],
  ])('%j turns %s into %s', (options, from, to) => {
    expect(createRenamer(options)(from)).toBe(to);
  });
});
