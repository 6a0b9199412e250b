import type { Problem } from '../../errors.ts';
import type { Catalog, TagEntry } from '../../content/contracts.ts';
import type { Digest } from '../../oci/digest.ts';
import { createHeapGuard } from '../../io/heap-guard.ts';
import { compareCodePoints } from '../../oci/reference.ts';
import type { Backup, Entry, Location } from '../../source/backup.ts';
import { bringManifests } from '../bring-manifests.ts';
import { createFiledMembers, type FiledMembers } from './file-members.ts';
import type { StoragePath } from './layout.ts';
import { climbingMember, createOddMembers, invalidMember } from './odd-members.ts';
import { createProblemList } from './problem-list.ts';
import { historyOf, settleRecords, type TagRecord } from './records.ts';
import { refuseForeign, refuseV1 } from './refuse-foreign.ts';
import { resolveLinks, type PendingLink } from './resolve-links.ts';
import { settleTags } from './settle-tags.ts';
import type { StorageCatalog } from './storage-catalog.ts';

/** Between looks at the heap: a saved index gives its members without a pause. */
const membersPerCheck = 1024;

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
    if (members++ % membersPerCheck === 0) refuseFullHeap();
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
  const problems = createProblemList();
  const { report } = problems;
  const filed = createFiledMembers({ nameOf, report });
  const odd = createOddMembers();
  const pendingLinks: PendingLink[] = [];
  const locate = (digest: Digest): Location | undefined => filed.blobs.get(digest)?.location;

  const addFile = (entry: Entry, path: StoragePath): void => {
    odd.note(path);
    if (path.kind === 'invalid') report(invalidMember(path, entry.path));
    else filed.file(path, entry);
  };

  return {
    pendingLinks,
    place: filed.file,
    report,
    locate,
    add(entry: Entry): boolean {
      const path = filed.paths.read(entry);
      if (path === undefined) return false;
      if (path.kind === 'climbing') report(climbingMember(entry.path));
      else if (entry.kind === 'hardlink' || entry.kind === 'symlink') {
        if (path.kind !== 'ignored' && path.kind !== 'tag-folder')
          pendingLinks.push(pendingLink(entry, entry.kind, path));
      } else if (entry.kind === 'file') addFile(entry, path);
      else if (path.kind === 'tag-folder') filed.fileTagFolder(path);
      return true;
    },
    finish(damage: readonly Problem[]): StorageCatalog | undefined {
      if (filed.repositories.size + filed.blobs.size === 0) {
        if (odd.hasV1) throw refuseV1();
        return undefined;
      }
      odd.problems().forEach(report);
      for (const [digest, path] of filed.emptyBlobs) if (locate(digest) === undefined) report(emptyBlob(digest, path));
      followAliases(filed.aliases, locate);
      settleRecords(filed.repositories);
      settleTags(filed.repositories, filed.blobs, report);
      return catalogOf(filed, [...damage, ...problems.all()]);
    },
  };
}

function pendingLink(entry: Entry, kind: PendingLink['kind'], meaning: StoragePath): PendingLink {
  const { path, target, modified, location } = entry;
  return { path, meaning, target, kind, modified, source: location.source ?? 0 };
}

function emptyBlob(digest: Digest, path: string): Problem {
  return {
    code: 'BLOB_EMPTY',
    path,
    digest,
    message: `blob ${digest} has no bytes: it was lost, probably in a crash`,
  };
}

/** Keeps the aliases that have no bytes of their own, and whose stored digest has them. */
function followAliases(aliases: Map<Digest, Digest>, locate: (digest: Digest) => Location | undefined): void {
  for (const [alias, target] of aliases) {
    const isAlias = locate(alias) === undefined && locate(target) !== undefined;
    if (!isAlias) aliases.delete(alias);
  }
}

function catalogOf(
  { repositories, blobs: stored, aliases }: FiledMembers,
  problems: readonly Problem[],
): StorageCatalog {
  const names = [...repositories.keys()].sort(compareCodePoints);
  const ordered = stored.rank(aliases.keys());
  const digestOf = (number: number): Digest => stored.digest(number);
  const historyDigests = (record: TagRecord): readonly Digest[] => historyOf(record).map(digestOf);
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
        const digest = digestOf(record.current);
        yield { tag, digest, history: historyDigests(record), ...pushTime(record) } satisfies TagEntry;
      }
    },
    *lostTags(repository) {
      const tags = repositories.get(repository)?.tags ?? new Map<string, TagRecord>();
      for (const tag of [...tags.keys()].sort(compareCodePoints)) {
        const record = tags.get(tag);
        if (record !== undefined && record.current === undefined)
          yield { tag, candidates: historyDigests(record), ...pushTime(record) };
      }
    },
    *revisions(repository) {
      yield* (repositories.get(repository)?.revisions ?? []).map(digestOf).sort(compareCodePoints);
    },
    *layers(repository) {
      for (const number of repositories.get(repository)?.layers ?? []) yield digestOf(number);
    },
    blobs: () => ordered,
    tagModified: (repository, tag) => repositories.get(repository)?.tags.get(tag)?.modified ?? 0,
  };
}

/** A link of 1970 has no time: archives that are made the same each time have none. */
function pushTime({ modified }: TagRecord): { readonly pushed?: number } {
  return modified > 0 ? { pushed: modified } : {};
}
