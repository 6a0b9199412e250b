import { othersGoOn, type Problem } from '../../errors.ts';
import { limits } from '../../io/limits.ts';
import { readManifest } from '../../content/read-manifest.ts';
import type { ContentStore } from '../../content/contracts.ts';
import { isDigest, type Digest } from '../../oci/digest.ts';
import { childManifests } from '../../oci/manifest.ts';
import { isTag } from '../../oci/reference.ts';
import type { Backup } from '../../source/backup.ts';
import { createDefaultNames, type DefaultNames } from '../default-names.ts';
import { defaultTag, parseForeignName, parseName, type ForeignName } from '../image-names.ts';
import { createNameList, type NameList } from '../named-catalog.ts';
import { bringPlaces, openPlaces, type PlacedFiles } from '../open-places.ts';
import type { ImagePlace, OpenReader, ReadImages, ReadOptions } from '../reader.ts';
import type { SourceFiles, SourceFolder } from '../source-files.ts';
import { containerdName, refName, regtarName } from './index-file.ts';
import { readIndexEntries, type ReadEntry } from './read-index.ts';

/** One layout in a SOURCE: a folder with an `index.json`. */
interface FoundLayout {
  readonly source: SourceFolder;
  /** `''` or a path that ends in `/`. */
  readonly base: string;
  readonly blobs: PlacedFiles;
  readonly entries: readonly ReadEntry[];
}

const indexPath = /^(.*\/)?index\.json$/s;

/**
 * OCI layouts: one or many in a SOURCE, each with one image or many.
 * @see OCI image-spec v1.1 image-layout.md
 */
export const openOciReader: OpenReader = (backup, files, options) => ({
  finish: (damage) => readLayouts(backup, files, options, damage),
});

async function readLayouts(
  backup: Backup,
  files: SourceFiles,
  options: ReadOptions,
  damage: readonly Problem[],
): Promise<ReadImages | undefined> {
  const names = createNameList();
  const layouts: FoundLayout[] = [];
  for (const source of files.folders()) layouts.push(...(await findLayouts(source, names)));
  if (layouts.length === 0) return undefined;
  const { blobs, store } = await bringPlaces(
    backup,
    layouts.map((layout) => layout.blobs),
    layouts.flatMap(({ entries }) => entries.map(({ digest }) => digest)),
  );
  const defaults = createDefaultNames(options.repository, layouts.length);
  const homes = new Map<string, FoundLayout>();
  for (const layout of layouts) {
    const before = new Set(names.repositories());
    nameImages(layout, names, store, defaults);
    for (const repository of names.repositories())
      if (!before.has(repository) && !homes.has(repository)) homes.set(repository, layout);
  }
  return {
    catalog: names.catalog(blobs, store, damage),
    store,
    notes: defaults.notes(),
    ...(layouts.length > 1 && { placeOf: ({ repository }) => placeOf(backup, homes.get(repository) ?? layouts[0]) }),
  };
}

function placeOf(backup: Backup, layout: FoundLayout | undefined): ImagePlace {
  return { key: layout?.base ?? '', store: openPlaces(backup, layout === undefined ? [] : [layout.blobs]).store };
}

/** A folder with an `index.json` is a layout if `oci-layout` or blobs lie beside it. */
async function findLayouts(source: SourceFolder, names: NameList): Promise<readonly FoundLayout[]> {
  const layouts: FoundLayout[] = [];
  for (const path of source.paths()) {
    const found = path.endsWith('index.json') ? indexPath.exec(path) : null;
    const base = found?.[1] ?? '';
    const index = found === null ? undefined : source.get(path);
    const blobs = source.blobs(base);
    if (index === undefined || (blobs === undefined && source.get(`${base}oci-layout`) === undefined)) continue;
    const bytes = await source.read(index, limits.layoutIndexBytes);
    const entries = readIndexEntries(bytes, `${path} in ${source.describe}`, names.report);
    layouts.push({ source, base, blobs: blobs ?? [], entries });
  }
  return layouts;
}

function nameImages(layout: FoundLayout, names: NameList, store: ContentStore, defaults: DefaultNames): void {
  const unnamed: ReadEntry[] = [];
  const repositories = new Set<string>();
  for (const entry of layout.entries) {
    const name = nameOf(entry, () => defaults.repository(layout.source, layout.base, 'tags'));
    if (name === undefined) {
      unnamed.push(entry);
      continue;
    }
    if (name === 'invalid') {
      names.report({
        code: 'TAG_INVALID',
        digest: entry.digest,
        path: `${layout.base}index.json`,
        message: `${entry.digest} is called "${said(entry)}", which is not a name of an image; it counts as untagged`,
      });
      unnamed.push(entry);
      continue;
    }
    repositories.add(name.repository);
    names.name(name.repository, name.tag, entry.digest);
  }
  if (unnamed.length > 0) nameOthers(layout, unnamed, repositories, names, store, defaults);
}

/** Images without a name belong to the only repository there is, or to the one of the image that they speak of. */
function nameOthers(
  layout: FoundLayout,
  unnamed: readonly ReadEntry[],
  repositories: ReadonlySet<string>,
  names: NameList,
  store: ContentStore,
  defaults: DefaultNames,
): void {
  const [only] = repositories;
  // The only image of a layout is what its maker means, as skopeo and crane take it.
  const isOnly = layout.entries.length === 1;
  let owners: ReadonlyMap<Digest, string> | undefined;
  for (const { digest } of unnamed) {
    if (names.has(digest)) continue;
    owners ??= repositories.size > 1 ? ownersOf(repositories, names, store) : new Map<Digest, string>();
    const repository =
      (repositories.size === 1 ? only : owners.get(subjectOf(store, digest) ?? digest)) ??
      defaults.repository(layout.source, layout.base, isOnly ? 'nothing' : 'digests');
    names.name(repository, isOnly ? defaultTag : undefined, digest);
  }
}

/** Which repository each manifest belongs to that a name reaches. */
function ownersOf(
  repositories: ReadonlySet<string>,
  names: NameList,
  store: ContentStore,
): ReadonlyMap<Digest, string> {
  const owners = new Map<Digest, string>();
  for (const repository of repositories) {
    const open = [...names.roots(repository)];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      if (owners.has(digest)) continue;
      owners.set(digest, repository);
      open.push(...(tryRead(store, digest)?.children ?? []));
    }
  }
  return owners;
}

function subjectOf(store: ContentStore, digest: Digest): Digest | undefined {
  return tryRead(store, digest)?.subject;
}

/** What cannot be read names nothing; it is reported where it is read for its own sake. */
function tryRead(
  store: ContentStore,
  digest: Digest,
): { readonly children: readonly Digest[]; readonly subject: Digest | undefined } | undefined {
  try {
    const { manifest } = readManifest(store, digest);
    return { children: childManifests(manifest).map((child) => child.digest), subject: manifest.subject?.digest };
  } catch (error) {
    if (othersGoOn(error)) return undefined;
    throw error;
  }
}

/** regtar's own name is exact; containerd's is always whole; the specification's may be whole or a tag. */
function nameOf(entry: ReadEntry, defaultRepository: () => string): ForeignName | 'invalid' | undefined {
  const own = entry.annotations[regtarName];
  if (own !== undefined) return parseName(own) ?? 'invalid';
  const containerd = entry.annotations[containerdName];
  if (containerd !== undefined) return parseForeignName(containerd) ?? 'invalid';
  const text = entry.annotations[refName];
  if (text === undefined || text === '') return undefined;
  if (isTag(text)) return { repository: defaultRepository(), tag: text, digest: undefined };
  if (isDigest(text)) return undefined;
  return parseForeignName(text) ?? 'invalid';
}

function said({ annotations }: ReadEntry): string {
  return (annotations[regtarName] ?? annotations[containerdName] ?? annotations[refName] ?? '').slice(0, 200);
}
