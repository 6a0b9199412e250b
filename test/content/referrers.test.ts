import { describe, expect, it } from 'vitest';
import { findReferrers, referrerTagSubject } from '../../src/content/referrers.ts';
import { unreachedRevisions } from '../../src/content/unreached-revisions.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { openTar } from '../support/open-storage.ts';
import { buildStorage, type StorageDescription } from '../support/storage-builder.ts';

const hex = 'ab'.repeat(32);

async function referrersOf(build: (s: StorageDescription) => { readonly digest: Digest }): Promise<string[]> {
  const storage = buildStorage(build);
  const { catalog, graph } = await openTar(storage);
  const tags = [...catalog.tags('app')];
  const unreached = unreachedRevisions(
    graph,
    tags.map(({ digest }) => digest),
    [...catalog.revisions('app')],
  );
  return findReferrers(graph, [storage.built.digest], tags, unreached)
    .map(({ tag, digest }) => tag ?? digest)
    .sort();
}

describe('tags that speak of a digest', () => {
  it.each([
    [`sha256-${hex}`, `sha256:${hex}`],
    [`sha256-${hex}.sig`, `sha256:${hex}`],
    [`sha256-${hex}.att`, `sha256:${hex}`],
    [`sha512-${hex}${hex}`, `sha512:${hex}${hex}`],
    [`sha256-${hex.slice(1)}.sig`, undefined],
    [`sha256-${hex}sig`, undefined],
    ['latest', undefined],
  ])('%s: %s', (tag, subject) => expect(referrerTagSubject(tag)).toBe(subject));
});

describe('what refers to an image', () => {
  it('a signature by its tag', async () => {
    let image: { readonly digest: Digest } | undefined;
    expect(
      await referrersOf((s) => {
        const made = s.image('app', 'v1');
        s.signature(made);
        return (image = made);
      }),
    ).toEqual([`${image?.digest.replace(':', '-')}.sig`]);
  });

  it('untagged and tagged manifests by their subject', async () => {
    const digests: string[] = [];
    const found = await referrersOf((s) => {
      const image = s.image('app', 'v1');
      digests.push(s.artifact('app', undefined, { subject: image, body: 'an SBOM' }).digest);
      s.artifact('app', 'sbom', { subject: image, body: 'another' });
      s.artifact('app', undefined, { body: 'of nobody' });
      return image;
    });
    expect(found).toEqual([...digests, 'sbom'].sort());
  });

  it('what refers to a child of an index, and what refers to a referrer', async () => {
    const digests: string[] = [];
    const found = await referrersOf((s) => {
      const index = s.index('app', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
      const sbom = s.artifact('app', undefined, { subject: index.children[1]!, body: 'an SBOM' });
      const signature = s.artifact('app', undefined, { subject: sbom, body: 'its signature' });
      digests.push(sbom.digest, signature.digest);
      return index;
    });
    expect(found).toEqual(digests.sort());
  });

  it('nothing of another repository', async () => {
    expect(
      await referrersOf((s) => {
        const image = s.image('app', 'v1');
        s.artifact('other', undefined, { subject: image, body: 'elsewhere' });
        return image;
      }),
    ).toEqual([]);
  });

  it('a damaged manifest refers to nothing, and the others are found', async () => {
    expect(
      await referrersOf((s) => {
        const image = s.image('app', 'v1');
        s.corruptBlob(s.artifact('app', undefined, { subject: image, body: 'broken' }).digest);
        s.artifact('app', 'sbom', { subject: image, body: 'whole' });
        return image;
      }),
    ).toEqual(['sbom']);
  });
});
