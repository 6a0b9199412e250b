import type { Problem } from '../../errors.ts';
import { RegtarError } from '../../errors.ts';
import type { Catalog, TagEntry } from '../../content/contracts.ts';
import { digestAlgorithm, emptyDigest, isDigest, type Digest } from '../../oci/digest.ts';
import { createHeapGuard } from '../../io/heap-guard.ts';
import { compareCodePoints } from '../../oci/reference.ts';
import type { Backup, Entry, Location } from '../../source/backup.ts';
import { BlobTable } from './blob-table.ts';
import type { StoragePath } from './layout.ts';
import { bringManifests } from '../bring-manifests.ts';
import { createPathReader } from './path-reader.ts';
import { createProblemList } from './problem-list.ts';
import type { StorageCatalog } from './storage-catalog.ts';
import { resolveLinks, type PendingLink } from './resolve-links.ts';

interface TagRecord {
  current: Digest | undefined;
  currentState: 'absent' | 'empty' | 'invalid' | 'read';
  modified: number;
  /** Which of several backups `current` came from. */
  source: number;
  /** In order of the medium, with repetitions where a member occurs twice; undefined while there is none. */
  history: Digest[] | undefined;
}

interface RepositoryRecord {
  readonly tags: Map<string, TagRecord>;
  readonly revisions: Set<Digest>;
  readonly layers: Set<Digest>;
}

/**
 * Builds the catalog in one pass over a backup's members.
 * @throws RegtarError SOURCE_NOT_REGISTRY, SOURCE_NOT_TAR, SOURCE_EMPTY when there is no registry's storage inside;
 * SOURCE_TOO_LARGE when its names do not fit into memory
 * @see docs/storage.md for the rules
 */
export async function readCatalog(
  backup: Backup,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((bytes: number) => void) | undefined;
  } = {},
): Promise<StorageCatalog> {
  const builder = startCatalog(backup);
  const refuseFullHeap = createHeapGuard(backup.describe);
  const onProgress = (bytes: number): void => {
    refuseFullHeap();
    options.onProgress?.(bytes);
  };
  let members = 0;
  const count = (entry: Entry): void => {
    members++;
    builder.add(entry);
  };
  const damage = await backup.scan(count, { ...options, onProgress });
  const catalog = await builder.finish(damage, options.signal);
  if (catalog === undefined) throw refuseForeign(backup.describe, members, damage);
  return catalog;
}

/** A catalog under way: it sees members while they pass. */
export interface CatalogBuilder {
  /** @returns whether the member is part of a registry's storage */
  add(entry: Entry): boolean;
  /** @returns undefined where nothing was part of a registry's storage */
  finish(damage: readonly Problem[], signal?: AbortSignal): Promise<StorageCatalog | undefined>;
}

/** Begins the catalog of a backup that is about to be scanned. */
export function startCatalog(backup: Backup): CatalogBuilder {
  const builder = createBuilder((source) => backup.nameOf?.(source) ?? backup.describe);
  return {
    add: builder.add,
    async finish(damage, signal) {
      await resolveLinks(backup, builder.pendingLinks, {
        signal,
        place: builder.place,
        locate: builder.locate,
        report: builder.report,
      });
      const catalog = builder.finish(damage);
      if (catalog !== undefined) await bringManifests(backup, catalog.stored, rootsOf(catalog));
      return catalog;
    },
  };
}

function* rootsOf(catalog: Catalog): Generator<Digest> {
  for (const repository of catalog.repositories()) {
    for (const { digest } of catalog.tags(repository)) yield digest;
    yield* catalog.revisions(repository);
  }
}

function createBuilder(nameOf: (source: number) => string) {
  const blobs = new BlobTable();
  let lastNumber = -1;
  const repositories = new Map<string, RepositoryRecord>();
  const roots = new Set<string>();
  let lastRoot: string | undefined;
  const problems = createProblemList();
  const pendingLinks: PendingLink[] = [];
  const emptyBlobs = new Map<Digest, string>();
  const aliases = new Map<Digest, Digest>();
  const seen = { v1: false, tarsum: false };
  const paths = createPathReader((bytes, at) => {
    lastNumber = blobs.numberAt(bytes, at);
    return lastNumber < 0 ? undefined : blobs.digest(lastNumber);
  });
  let lastName = '';
  let lastRepository: RepositoryRecord | undefined;

  // The path reader has just looked for most of them.
  const numberOf = (digest: Digest): number =>
    lastNumber >= 0 && digest === blobs.digest(lastNumber) ? lastNumber : blobs.numberOf(digest);
  const intern = (digest: Digest): Digest => blobs.digest(numberOf(digest));
  const repositoryOf = (name: string): RepositoryRecord => {
    // Members of one repository follow each other: most lookups end here.
    if (name === lastName && lastRepository !== undefined) return lastRepository;
    let record = repositories.get(name);
    if (record === undefined) {
      record = { tags: new Map(), revisions: new Set(), layers: new Set() };
      repositories.set(ownText(name), record);
    }
    lastName = name;
    lastRepository = record;
    return record;
  };
  const tagOf = (repository: string, tag: string): TagRecord => {
    const { tags } = repositoryOf(repository);
    let record = tags.get(tag);
    if (record === undefined) {
      record = { current: undefined, currentState: 'absent', modified: 0, source: 0, history: undefined };
      tags.set(tag, record);
    }
    return record;
  };
  const { report } = problems;

  /** Files a member's meaning, with the bytes of links and the place of blobs. */
  const place = (
    path: StoragePath,
    source: {
      readonly location: Location;
      readonly bytes: Uint8Array | undefined;
      readonly text?: string | undefined;
      readonly modified: number;
      readonly path: string;
    },
  ): void => {
    switch (path.kind) {
      case 'blob':
        // Where a blob is there twice, once without bytes, the other one is read: its digest proves it.
        if (source.location.size === 0 && path.digest !== emptyDigest) emptyBlobs.set(intern(path.digest), source.path);
        else placeBlob(numberOf(path.digest), source.location);
        return;
      case 'layer-link':
        repositoryOf(path.repository).layers.add(intern(path.digest));
        return checkLink(path, source);
      case 'revision-link':
        repositoryOf(path.repository).revisions.add(intern(path.digest));
        return checkLink(path, source);
      case 'tag-index': {
        const record = tagOf(path.repository, path.tag);
        // Most histories have one entry, and an array that grows takes room for seventeen.
        if (record.history === undefined) record.history = [intern(path.digest)];
        else record.history.push(intern(path.digest));
        return;
      }
      case 'tag-current':
        return placeCurrent(path.repository, path.tag, source);
      case 'tag-folder':
      case 'ignored':
      case 'tarsum':
      case 'v1':
      case 'invalid':
      case 'climbing':
        return;
    }
  };

  /**
   * The digest of a revision or layer link stands in its path; a content that says otherwise is damage, an empty one is
   * repaired by the path.
   */
  const checkLink = (
    path: Extract<StoragePath, { kind: 'layer-link' | 'revision-link' }>,
    source: { readonly bytes: Uint8Array | undefined; readonly text?: string | undefined; readonly path: string },
  ): void => {
    const content = linkText(source);
    if (content === path.digest) return;
    if (content !== undefined && isDigest(content) && digestAlgorithm(content) !== digestAlgorithm(path.digest)) {
      // Distribution 3 keeps bytes under their sha256 digest; the link of another algorithm leads there.
      aliases.set(intern(path.digest), intern(content));
      return;
    }
    if (content === '') {
      report({
        code: 'LINK_RECOVERED',
        path: source.path,
        repository: path.repository,
        digest: path.digest,
        message: 'an empty link was recovered from its own path',
      });
    } else {
      report({
        code: 'LINK_INVALID',
        path: source.path,
        repository: path.repository,
        digest: path.digest,
        message: 'a link does not hold the digest of its path; the path is used',
      });
    }
  };

  /**
   * The same path twice in one archive: the last is what tar would leave on disk. In several archives: the first, which
   * a delta repeats.
   */
  const placeBlob = (number: number, location: Location): void => {
    const known = blobs.location(number);
    if (known === undefined || known.source === location.source) blobs.place(number, location);
  };

  const placeCurrent = (
    repository: string,
    tag: string,
    source: {
      readonly location: Location;
      readonly bytes: Uint8Array | undefined;
      readonly text?: string | undefined;
      readonly modified: number;
      readonly path: string;
    },
  ): void => {
    const record = tagOf(repository, tag);
    const content = linkText(source);
    const digest = content !== undefined && isDigest(content) ? intern(content) : undefined;
    const archive = source.location.source ?? 0;
    if (record.current !== undefined && record.source !== archive && record.current !== digest) {
      const kept = digest === undefined ? nameOf(record.source) : nameOf(archive);
      report({
        code: 'TAG_CONFLICT',
        path: source.path,
        repository,
        tag,
        digest: digest ?? record.current,
        message:
          `${repository}:${tag} is ${record.current} in ${nameOf(record.source)} ` +
          `(${dateOf(record.modified)}) and ${digest ?? 'a damaged link'} in ${nameOf(archive)} ` +
          `(${dateOf(source.modified)}); ${kept} is followed`,
      });
      (record.history ??= []).push(record.current);
      // A link that a crash emptied says nothing against the older backup.
      if (digest === undefined) return;
    }
    record.modified = source.modified;
    record.source = archive;
    if (digest !== undefined) {
      record.current = digest;
      record.currentState = 'read';
      return;
    }
    record.current = undefined;
    record.currentState = content === '' ? 'empty' : 'invalid';
    if (content !== '')
      report({
        code: 'LINK_INVALID',
        path: source.path,
        repository,
        tag,
        message: `the link of ${repository}:${tag} does not hold a digest`,
      });
  };

  const noteRoot = ({ root }: StoragePath): void => {
    if (root !== lastRoot) roots.add(root);
    lastRoot = root;
  };

  const addFile = (entry: Entry, path: StoragePath): void => {
    noteRoot(path);
    if (path.kind === 'v1') seen.v1 = true;
    if (path.kind === 'tarsum') seen.tarsum = true;
    if (path.kind === 'invalid') reportInvalid(path, entry.path);
    else place(path, entry);
  };

  const reportInvalid = (path: Extract<StoragePath, { kind: 'invalid' }>, where: string): void => {
    const code =
      path.part === 'repository' ? 'REPOSITORY_INVALID' : path.part === 'tag' ? 'TAG_INVALID' : 'DIGEST_INVALID';
    report({ code, path: where, message: `"${path.text.slice(0, 200)}" is no valid ${path.part}; it is passed over` });
  };

  return {
    pendingLinks,
    place,
    report,
    locate: (digest: Digest) => blobs.get(digest)?.location,
    add(entry: Entry): boolean {
      const path = paths.read(entry);
      if (path === undefined) return false;
      if (path.kind === 'climbing') {
        report({
          code: 'PATH_INVALID',
          path: entry.path,
          message: `"${entry.path.slice(0, 200)}" climbs out of its folder; it is passed over`,
        });
      } else if (entry.kind === 'hardlink' || entry.kind === 'symlink') {
        if (path.kind !== 'ignored' && path.kind !== 'tag-folder')
          pendingLinks.push({
            path: entry.path,
            meaning: path,
            target: entry.target,
            kind: entry.kind,
            modified: entry.modified,
            source: entry.location.source ?? 0,
          });
      } else if (entry.kind === 'file') addFile(entry, path);
      else if (path.kind === 'tag-folder') tagOf(path.repository, path.tag);
      return true;
    },
    finish(damage: readonly Problem[]): StorageCatalog | undefined {
      if (repositories.size + blobs.size === 0 && !seen.v1) return undefined;
      if (repositories.size + blobs.size === 0) throw onlyV1();
      if (seen.v1)
        report({
          code: 'STORAGE_V1',
          message:
            'images of the registry before Distribution 2 (images/<id>/…) are in this backup; they cannot be read',
        });
      if (seen.tarsum)
        report({
          code: 'STORAGE_TARSUM',
          message: 'layers by tarsum (_layers/tarsum, before Distribution 2.1) are in this backup; they cannot be read',
        });
      if (roots.size > 1)
        report({
          code: 'SOURCE_ROOTS',
          message:
            `the backup holds ${roots.size} registry trees, which are read as one: ` +
            `${[...roots].map((root) => root || '.').join(', ')}`,
        });
      for (const [digest, path] of emptyBlobs) {
        if (blobs.get(digest)?.location === undefined)
          report({
            code: 'BLOB_EMPTY',
            path,
            digest,
            message: `blob ${digest} has no bytes: it was lost, probably in a crash`,
          });
      }
      followAliases(blobs, aliases);
      settleTags(repositories, blobs, report);
      return catalogOf(repositories, blobs, aliases, [...damage, ...problems.all()]);
    },
  };
}

/** Nothing of such a backup could be listed, so an empty list would be a lie. */
function onlyV1(): RegtarError {
  return new RegtarError(
    'STORAGE_V1',
    'this is the storage of a registry before Distribution 2 (images/<id>/…), and nothing in it can be read',
    { hint: 'start that registry once more, pull its images with docker, and push them to a current registry' },
  );
}

/** Keeps the aliases that have no bytes of their own, and whose stored digest has them. */
function followAliases(blobs: BlobTable, aliases: Map<Digest, Digest>): void {
  for (const [alias, target] of aliases) {
    const isAlias = blobs.get(alias)?.location === undefined && blobs.get(target)?.location !== undefined;
    if (!isAlias) aliases.delete(alias);
  }
}

/** Decides what each tag means, and says so where it had to decide. */
function settleTags(
  repositories: ReadonlyMap<string, RepositoryRecord>,
  blobs: Pick<BlobTable, 'get'>,
  report: (problem: Problem) => void,
): void {
  for (const [repository, { tags, revisions }] of repositories) {
    for (const [tag, record] of tags) {
      const history = record.currentState === 'read' ? [] : historyOf(record);
      const [only] = history;
      if (record.currentState === 'empty' && only !== undefined && history.length === 1) {
        record.current = only;
        report({
          code: 'LINK_RECOVERED',
          repository,
          tag,
          digest: only,
          message: `the empty link of ${repository}:${tag} was recovered from its only history entry`,
        });
      } else if (record.currentState === 'empty') {
        report({
          code: 'TAG_AMBIGUOUS',
          repository,
          tag,
          message:
            `${repository}:${tag} has an empty link and ${history.length} candidates: ${listed(history)}; ` +
            'choose with --at-digest',
        });
      } else if (record.currentState === 'absent') {
        report({
          code: 'TAG_NO_CURRENT',
          repository,
          tag,
          message: `${repository}:${tag} has no current link: a registry lists it and answers 404`,
        });
      }
      if (record.current !== undefined && !revisions.has(record.current)) {
        const fate =
          blobs.get(record.current)?.location === undefined
            ? 'and its blob is gone too'
            : 'its blob is still there and is used';
        report({
          code: 'TAG_REVISION_MISSING',
          repository,
          tag,
          digest: record.current,
          message:
            `${repository}:${tag} points to ${record.current}, whose revision link is gone: it was ` +
            `deleted, ${fate}`,
        });
      }
    }
  }
}

function catalogOf(
  repositories: ReadonlyMap<string, RepositoryRecord>,
  stored: BlobTable,
  aliases: ReadonlyMap<Digest, Digest>,
  problems: readonly Problem[],
): StorageCatalog {
  const names = [...repositories.keys()].sort(compareCodePoints);
  const ordered = stored.rank((digest) => aliases.has(digest));
  for (const [alias, target] of aliases) stored.share(alias, target);
  return {
    stored,
    aliases,
    problems,
    repositories: () => names,
    *tags(repository) {
      const tags = repositories.get(repository)?.tags ?? new Map<string, TagRecord>();
      for (const tag of [...tags.keys()].sort(compareCodePoints)) {
        const record = tags.get(tag);
        if (record?.current === undefined) continue;
        yield { tag, digest: record.current, history: historyOf(record), ...pushTime(record) } satisfies TagEntry;
      }
    },
    *lostTags(repository) {
      const tags = repositories.get(repository)?.tags ?? new Map<string, TagRecord>();
      for (const tag of [...tags.keys()].sort(compareCodePoints)) {
        const record = tags.get(tag);
        if (record !== undefined && record.current === undefined)
          yield { tag, candidates: historyOf(record), ...pushTime(record) };
      }
    },
    *revisions(repository) {
      yield* [...(repositories.get(repository)?.revisions ?? [])].sort(compareCodePoints);
    },
    layers: (repository) => repositories.get(repository)?.layers ?? [],
    blobs: () => ordered,
    tagModified: (repository, tag) => repositories.get(repository)?.tags.get(tag)?.modified ?? 0,
  };
}

function historyOf({ history = [], current }: TagRecord): readonly Digest[] {
  return [...new Set(current === undefined ? history : [...history, current])];
}

/** A link of 1970 has no time: archives that are made the same each time have none. */
function pushTime({ modified }: TagRecord): { readonly pushed?: number } {
  return modified > 0 ? { pushed: modified } : {};
}

const candidatesInMessage = 10;

function listed(candidates: readonly Digest[]): string {
  const rest = candidates.length - candidatesInMessage;
  return candidates.length === 0
    ? 'none'
    : `${candidates.slice(0, candidatesInMessage).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** Part of a string keeps the whole alive: a name of 20 bytes would cost its path of 200. Names are ASCII. */
function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Names what was given instead of something that can be read. */
export function refuseForeign(describe: string, members: number, damage: readonly Problem[]): RegtarError {
  const where = { path: describe };
  const hint = "pack it with `tar -cpf docker.tar docker` in the registry's root directory, /var/lib/registry for most";
  const expected = "expected a registry's storage, with docker/registry/v2 inside";
  if (members > 0)
    return new RegtarError('SOURCE_NOT_REGISTRY', `${describe} has ${members} members, but no images; ${expected}`, {
      where,
      hint,
    });
  const [first] = damage;
  const because = first === undefined ? '' : `: ${first.message}`;
  return new RegtarError('SOURCE_NOT_TAR', `${describe} holds nothing that can be read${because}; ${expected}`, {
    where,
    hint,
  });
}

function dateOf(seconds: number): string {
  return new Date(Math.min(Math.max(seconds, 0), 8e12) * 1000).toISOString().slice(0, 10);
}

function linkText(source: Pick<Entry, 'text' | 'bytes'>): string | undefined {
  const { text } = source;
  if (text !== undefined) return text.trim();
  const { bytes } = source;
  return bytes === undefined
    ? undefined
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').trim();
}
