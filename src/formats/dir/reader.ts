import type { Problem } from '../../errors.ts';
import { limits } from '../../io/limits.ts';
import { digestOf, makeDigest, type Digest } from '../../oci/digest.ts';
import type { Backup, Location } from '../../source/backup.ts';
import { createDefaultNames, type DefaultNames } from '../default-names.ts';
import { defaultTag, dropRegistry } from '../image-names.ts';
import { createNameList, type NameList } from '../named-catalog.ts';
import { bringPlaces, openPlaces } from '../open-places.ts';
import type { ImagePlace, OpenReader, ReadImages, ReadOptions, SourceImage } from '../reader.ts';
import type { SourceFile, SourceFiles, SourceFolder } from '../source-files.ts';
import { parseImageFolder } from './file-names.ts';

/** One image's folder in a SOURCE. */
interface FoundImage {
  readonly source: SourceFolder;
  /** `''` or a path that ends in `/`. */
  readonly base: string;
  readonly root: Digest;
  readonly places: ReadonlyMap<Digest, Location>;
}

/** `version` is written last: it marks an image complete. */
const versionPath = /^(.*\/)?version$/s;
const contentPath = /^(.*\/)?(?:(sha256|sha512)-)?([0-9a-f]{64}|[0-9a-f]{128})(?:\.manifest\.json)?$/s;
const manifestName = 'manifest.json';

/**
 * Trees of skopeo's `dir` images, ours and those of `skopeo sync`, and single folders.
 * @see containers-transports(5), dir
 */
export const openDirReader: OpenReader = (backup, files, options) => ({
  finish: (damage) => readTrees(backup, files, options, damage),
});

async function readTrees(
  backup: Backup,
  files: SourceFiles,
  options: ReadOptions,
  damage: readonly Problem[],
): Promise<ReadImages | undefined> {
  const names = createNameList();
  const images: FoundImage[] = [];
  for (const source of files.folders()) images.push(...(await findImages(source, names)));
  if (images.length === 0) return undefined;
  const { blobs, store } = await bringPlaces(
    backup,
    images.map(({ places }) => places),
    images.map(({ root }) => root),
  );
  const defaults = createDefaultNames(options.repository, images.length);
  const homes = new Map<string, FoundImage>();
  for (const image of images) {
    const name = nameOf(image, defaults);
    names.name(name.repository, name.tag, image.root);
    homes.set(keyOf({ ...name, digest: image.root }), image);
  }
  return {
    catalog: names.catalog(blobs, store, damage),
    store,
    notes: defaults.notes(),
    placeOf: (image) => placeOf(backup, homes.get(keyOf(image))),
  };
}

function keyOf({ repository, tag, digest }: SourceImage): string {
  return `${repository}\n${tag ?? digest}`;
}

function placeOf(backup: Backup, image: FoundImage | undefined): ImagePlace {
  return {
    key: image === undefined ? '' : `${image.source.describe}/${image.base}`,
    store: openPlaces(backup, image === undefined ? [] : [image.places]).store,
  };
}

async function findImages(source: SourceFolder, names: NameList): Promise<readonly FoundImage[]> {
  const bases = [...source.paths()].flatMap((path) => {
    const version = path.endsWith('version') ? versionPath.exec(path) : null;
    return version === null ? [] : [version[1] ?? ''];
  });
  // Blobs of other formats are tens of thousands, and none of them is looked at in vain.
  if (bases.length === 0) return [];
  const contents = new Map<string, Map<Digest, Location>>();
  for (const path of source.paths()) {
    const [, base = '', algorithm = 'sha256', hex = ''] = contentPath.exec(path) ?? [];
    const digest = makeDigest(algorithm, hex);
    const file = digest === undefined ? undefined : source.get(path);
    if (digest === undefined || file === undefined) continue;
    const own = contents.get(base) ?? new Map<Digest, Location>();
    contents.set(base, own.set(digest, file.location));
  }
  const images: FoundImage[] = [];
  for (const base of bases) {
    const manifest = source.get(`${base}${manifestName}`);
    if (manifest === undefined) continue;
    const root = await rootOf(source, manifest, names);
    if (root === undefined) continue;
    const places = new Map(contents.get(base));
    images.push({ source, base, root, places: places.set(root, manifest.location) });
  }
  return images;
}

/** What an image is called is the digest of its manifest, as it is there. */
async function rootOf(source: SourceFolder, manifest: SourceFile, names: NameList): Promise<Digest | undefined> {
  if (manifest.location.size > limits.manifestBytes) {
    names.report({
      code: 'MANIFEST_TOO_LARGE',
      path: manifest.path,
      message:
        `${manifest.path} has ${manifest.location.size} bytes; no registry takes more than ` +
        `${limits.manifestBytes}`,
    });
    return undefined;
  }
  const bytes = await source.read(manifest, limits.manifestBytes);
  // A docker-archive's is an array.
  return /^\s*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1')) ? digestOf(bytes) : undefined;
}

/** The path says it, in a tree: `library/app:1/`, with a registry before it where `skopeo sync --scoped` wrote it. */
function nameOf(
  { source, base }: FoundImage,
  defaults: DefaultNames,
): { readonly repository: string; readonly tag: string | undefined } {
  const path = base.replace(/\/$/, '');
  const named = parseImageFolder(isOwnTree(source) ? path : dropRegistry(path));
  if (named !== undefined) return named;
  const ofSource = path === '' ? parseImageFolder(lastComponent(source.describe)) : undefined;
  return ofSource ?? { repository: defaults.repository(source, base, 'nothing'), tag: defaultTag };
}

/** A tree that regtar wrote has names as they were in the registry, of any form. */
function isOwnTree(source: SourceFolder): boolean {
  return source.get('.regtar.json') !== undefined;
}

function lastComponent(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}
