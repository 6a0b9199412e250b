import type { Catalog } from '../content/contracts.ts';
import { RegtarError } from '../errors.ts';
import type { ImagePlace, ReadImages } from '../formats/reader.ts';
import type { Body } from '../io/body.ts';
import { limits } from '../io/limits.ts';
import { createDigester, digestAlgorithm, type Digest } from '../oci/digest.ts';
import { compareCodePoints, imageKey } from '../oci/reference.ts';
import type { CheckedTarget, ExpectedImage } from './contract.ts';

/** What was exported, in any format that can be read. Its opener closes it. */
export function imagesTarget(describe: string, read: Pick<ReadImages, 'catalog' | 'store' | 'placeOf'>): CheckedTarget {
  const { catalog, store } = read;
  const names = createNames(catalog);
  const { absent } = store;
  const volumes = new Map(absent?.images.map((image) => [imageKey(image), image.volume]));
  const shared: ImagePlace = { key: '', store };
  const places = new Map<string, ImagePlace>();
  const placeOf = (image: ExpectedImage): ImagePlace => {
    if (read.placeOf === undefined) return shared;
    const { repository, digest } = names.find(image) ?? image;
    const key = `${repository}\n${image.tag ?? digest}`;
    const place = places.get(key) ?? read.placeOf({ repository, tag: image.tag, digest });
    places.set(key, place);
    return place;
  };
  return {
    describe,
    parallel: 2,
    digestOf: async (image) => names.find(image)?.digest,
    async readManifest(image, digest) {
      const own = placeOf(image).store;
      const size = own.stat(digest)?.size;
      if (size === undefined) return undefined;
      if (size > limits.manifestBytes)
        throw new RegtarError('MANIFEST_TOO_LARGE', `${digest} has ${size} bytes`, {
          side: 'target',
          where: { digest },
        });
      return own.readSmall(digest);
    },
    statBlob: async (image, digest) => placeOf(image).store.stat(digest)?.size,
    async hashBlob(image, digest) {
      const own = placeOf(image).store;
      return own.hashedAs?.(digest) ?? (await hashBody(own.open(digest), digest));
    },
    placeOf: (image) => placeOf(image).key,
    ...(absent && {
      volumeOf: (image, blob) => (blob === undefined ? volumes.get(imageKey(image)) : absent.volumeOf(blob)),
      isSetMeant: absent.isSetMeant,
    }),
  };
}

interface Names {
  find(image: ExpectedImage): { readonly repository: string; readonly digest: Digest } | undefined;
}

/** A prefix that was put before names for loaders does not count: the report does not have it. */
function createNames(catalog: Catalog): Names {
  const repositories = [...catalog.repositories()].sort(compareCodePoints);
  const tags = new Map<string, ReadonlyMap<string, Digest>>();
  const revisions = new Map<string, ReadonlySet<Digest>>();
  const tagsOf = (repository: string): ReadonlyMap<string, Digest> => {
    const known =
      tags.get(repository) ?? new Map([...catalog.tags(repository)].map(({ tag, digest }) => [tag, digest]));
    tags.set(repository, known);
    return known;
  };
  const revisionsOf = (repository: string): ReadonlySet<Digest> => {
    const known = revisions.get(repository) ?? new Set(catalog.revisions(repository));
    revisions.set(repository, known);
    return known;
  };
  const own = new Set(repositories);
  const digestIn = (repository: string, { tag, digest }: ExpectedImage): Digest | undefined => {
    if (tag !== undefined) return tagsOf(repository).get(tag);
    return revisionsOf(repository).has(digest) ? digest : undefined;
  };
  return {
    find(image) {
      const digest = own.has(image.repository) ? digestIn(image.repository, image) : undefined;
      if (digest !== undefined) return { repository: image.repository, digest };
      for (const repository of repositories) {
        const found = repository.endsWith(`/${image.repository}`) ? digestIn(repository, image) : undefined;
        if (found !== undefined) return { repository, digest: found };
      }
      return undefined;
    },
  };
}

/** Reads a body to its end. */
async function hashBody(body: Body, expected: Digest): Promise<Digest> {
  const digester = createDigester(digestAlgorithm(expected));
  for await (const chunk of body) digester.update(chunk);
  return digester.digest();
}
