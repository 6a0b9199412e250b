import { RegtarError, type Problem } from '../../errors.ts';
import type { ContentStore } from '../../content/contracts.ts';
import { limits } from '../../io/limits.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Backup, Location } from '../../source/backup.ts';
import { createDefaultNames, type DefaultNames } from '../default-names.ts';
import { defaultTag, parseForeignName } from '../image-names.ts';
import { createNameList, type NameList } from '../named-catalog.ts';
import { openPlaces } from '../open-places.ts';
import type { OpenReader, ReadImages, ReadOptions } from '../reader.ts';
import type { SourceFiles, SourceFolder } from '../source-files.ts';
import { makeManifest, type KnownLayers } from './make-manifest.ts';
import { readSavedImages, type SavedImage } from './read-manifest-json.ts';

/** One docker-archive in a SOURCE: a folder with a `manifest.json` that is a list. */
interface FoundArchive {
  readonly source: SourceFolder;
  /** `''` or a path that ends in `/`. */
  readonly base: string;
  readonly images: readonly SavedImage[];
}

const manifestPath = /^(.*\/)?manifest\.json$/s;
const legacyPath = /^(?:.*\/)?repositories$/s;

/**
 * What `docker save`, podman, kaniko, skopeo and `ctr` write. Archives that are OCI layouts as well are read as these:
 * their manifests are there. Where only a config and layers are, a manifest is made.
 * @see Docker, image specification v1.2, "Combined Image JSON + Filesystem Changeset Format"
 */
export const openDockerArchiveReader: OpenReader = (backup, files, options) => ({
  finish: async (damage) => readArchives(backup, files, options, damage),
});

async function readArchives(
  backup: Backup,
  files: SourceFiles,
  options: ReadOptions,
  damage: readonly Problem[],
): Promise<ReadImages | undefined> {
  const archives: FoundArchive[] = [];
  for (const source of files.folders()) archives.push(...(await findArchives(source)));
  if (archives.length === 0) {
    files.folders().forEach(refuseLegacy);
    return undefined;
  }
  const names = createNameList();
  const places = new Map<Digest, Location>();
  const made = new Map<Digest, Uint8Array>();
  const layers: KnownLayers = new Map();
  const defaults = createDefaultNames(options.repository, archives.length);
  for (const archive of archives)
    for (const image of archive.images) {
      options.signal?.throwIfAborted();
      await readImage(backup, archive, image, { names, places, made, defaults, layers });
    }
  const { store: held, blobs } = openPlaces(backup, [places]);
  const store = withMade(held, made);
  return {
    catalog: names.catalog([...made.keys(), ...blobs], store, damage),
    store,
    notes: [...madeNotes(made, backup), ...defaults.notes()],
  };
}

function madeNotes(made: ReadonlyMap<Digest, Uint8Array>, backup: Backup): readonly string[] {
  if (made.size === 0) return [];
  const whose =
    made.size === 1
      ? 'one was made for its image and has a digest of its own'
      : `they were made for its ${made.size} images and have digests of their own`;
  return [`${backup.describe} holds layers without manifests: ${whose}, the same in every run`];
}

/** Manifests that were made are in memory: they have a few hundred bytes each. */
function withMade(store: ContentStore, made: ReadonlyMap<Digest, Uint8Array>): ContentStore {
  return {
    ...store,
    // Manifests that were made have none there.
    numbers: undefined,
    stat(digest) {
      const bytes = made.get(digest);
      return bytes === undefined ? store.stat(digest) : { size: bytes.length };
    },
    open(digest, from = 0, ring) {
      const bytes = made.get(digest);
      return bytes === undefined ? store.open(digest, from, ring) : inOnePiece(bytes.subarray(from));
    },
    readSmall: (digest) => made.get(digest) ?? store.readSmall(digest),
    file: (digest) => (made.has(digest) ? undefined : store.file(digest)),
    hashedAs: (digest) => (made.has(digest) ? digest : store.hashedAs?.(digest)),
    ranges: (digest) => (made.has(digest) ? undefined : store.ranges?.(digest)),
  };
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function findArchives(source: SourceFolder): Promise<readonly FoundArchive[]> {
  const found: FoundArchive[] = [];
  for (const path of source.paths()) {
    const match = manifestPath.exec(path);
    const file = match === null ? undefined : source.get(path);
    const base = match?.[1] ?? '';
    if (file === undefined || file.location.size > limits.imageListBytes || isLayout(source, base)) continue;
    const bytes = await source.read(file, limits.imageListBytes);
    const images = readSavedImages(bytes, `${path} in ${source.describe}`);
    if (images !== undefined) found.push({ source, base, images });
  }
  return found;
}

/** As the reader of layouts takes them: hauler writes no `oci-layout`. */
function isLayout(source: SourceFolder, base: string): boolean {
  if (source.get(`${base}index.json`) === undefined) return false;
  return source.get(`${base}oci-layout`) !== undefined || source.blobs(base) !== undefined;
}

/** Engines before Docker 1.10 wrote no `manifest.json`; their layers have no digests that could be compared. */
function refuseLegacy(source: SourceFolder): void {
  const paths = [...source.paths()];
  const isLegacy = paths.some((path) => legacyPath.test(path)) && paths.some((path) => path.endsWith('/layer.tar'));
  if (!isLegacy) return;
  throw new RegtarError(
    'SOURCE_DOCKER_LEGACY',
    `${source.describe} was saved by a Docker older than 1.10: it has "repositories" and no manifest.json`,
    {
      where: { path: source.describe },
      hint: 'load it into a Docker before version 28 with `docker load` and save it again',
    },
  );
}

interface Collected {
  readonly names: NameList;
  readonly places: Map<Digest, Location>;
  readonly made: Map<Digest, Uint8Array>;
  readonly defaults: DefaultNames;
  readonly layers: KnownLayers;
}

async function readImage(
  backup: Backup,
  { source, base, images }: FoundArchive,
  image: SavedImage,
  { names, places, made, defaults, layers }: Collected,
): Promise<void> {
  const tags = image.tags.flatMap((text) => {
    const name = parseForeignName(text);
    if (name === undefined)
      names.report({
        code: 'TAG_INVALID',
        path: `${base}manifest.json`,
        message: `"${text.slice(0, 200)}" is not a name of an image; skipped`,
      });
    return name === undefined ? [] : [name];
  });
  const targets =
    tags.length > 0
      ? tags
      : [
          {
            repository: defaults.repository(source, base, images.length === 1 ? 'nothing' : 'digests'),
            tag: images.length === 1 ? defaultTag : undefined,
          },
        ];
  const result = await makeManifest(backup, source, base, image, layers);
  if ('problem' in result) {
    for (const { repository, tag } of targets) {
      const message = `${repository}${tag === undefined ? '' : `:${tag}`}: ${result.problem.message}`;
      names.report({ ...result.problem, message, repository, ...(tag !== undefined && { tag }) });
      if (tag !== undefined) names.lose(repository, tag);
    }
    return;
  }
  made.set(result.digest, result.bytes);
  for (const [digest, location] of result.places) if (!places.has(digest)) places.set(digest, location);
  for (const { repository, tag } of targets) names.name(repository, tag, result.digest);
}
