import { createReadStream, statSync } from 'node:fs';
import { RegtarError, systemErrorCode, systemReason, type Problem } from '../errors.ts';
import type { Catalog, ContentStore } from '../content/contracts.ts';
import { readManifest } from '../content/read-manifest.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { isRepository, isTag } from '../oci/reference.ts';
import { createHeapGuard } from '../io/heap-guard.ts';
import { openPipe } from '../io/open-pipe.ts';
import { readLines, type NumberedLine } from '../io/read-lines.ts';
import { withChosenTags } from './chosen-tags.ts';
import { parseCsvTagMap } from './tag-map-csv.ts';
import { parseJsonTagMap } from './tag-map-json.ts';
import { invalidTagMap, type TagMapOptions, type TagMapRow } from './tag-map-row.ts';
import { parseSqlTagMap } from './tag-map-sql.ts';

/** A name that storage does not hold: Harbor from 2.15 on keeps tags in its database only. */
export interface TagMapEntry {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
}

/** A signature that may be the one behind its `sha256-<hex>.sig` tag. */
export interface SignatureEntry extends TagMapEntry {
  /** When Harbor recorded it, in its own form; empty where it does not say. */
  readonly signedAt: string;
}

/** Names for manifests, by repository and digest. */
export interface TagMap {
  /** Each `repository:tag` once. */
  readonly entries: readonly TagMapEntry[];
  /** What Harbor's lists say of signatures; only the manifests themselves tell which of them have a tag. */
  readonly signatures: readonly SignatureEntry[];
  /** Rows that name nothing: tags of a dump whose artifact is not in it. */
  readonly problems: readonly Problem[];
}

/**
 * Reads a file that names images: CSV `repository,tag,digest`, the JSON of Harbor's artifact lists, or a plain
 * `pg_dump` of Harbor's tables
 * `repository`, `artifact` and `tag`. Content decides which.
 * @throws RegtarError SOURCE_NOT_FOUND, TAG_MAP_INVALID
 */
export async function readTagMap(
  path: string,
  options: Partial<TagMapOptions> & { readonly signal?: AbortSignal | undefined } = {},
): Promise<TagMap> {
  try {
    // A pipe is not opened as a file is: its first writer would be waited for where no signal is heard.
    const isPipe = statSync(path).isFIFO();
    const bytes = isPipe ? openPipe(path, options.signal) : createReadStream(path);
    return await parseTagMap(bytes, { describe: path, ...options });
  } catch (cause) {
    options.signal?.throwIfAborted();
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    throw new RegtarError(
      code === 'ENOENT' ? 'SOURCE_NOT_FOUND' : 'SOURCE_UNREADABLE',
      `${path} cannot be read: ${systemReason(cause)}`,
      { side: 'usage', where: { path }, cause, hint: 'name the tag map: --tag-map tags.csv' },
    );
  }
}

/** The same from bytes. @throws RegtarError TAG_MAP_INVALID naming the line */
export async function parseTagMap(bytes: AsyncIterable<Uint8Array>, options: TagMapOptions): Promise<TagMap> {
  const lines = readLines(bytes);
  try {
    const head: NumberedLine[] = [];
    for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
      head.push(next.value);
      if (next.value.text.trim() !== '') break;
    }
    const first = head.at(-1)?.text.trim() ?? '';
    refuseBinary(first, options);
    const problems: Problem[] = [];
    const all = prepend(head, lines);
    const rows = /^[[{]/.test(first)
      ? parseJsonTagMap(all, options, problems)
      : isSql(first)
        ? parseSqlTagMap(all, options, problems)
        : parseCsvTagMap(all, options);
    return { ...(await checkRows(rows, options)), problems };
  } finally {
    await lines.return(undefined);
  }
}

/**
 * Gives tags the meaning that a tag map says. The map wins over tags in storage: Harbor stopped to write them there, so
 * they may be old.
 * Entries whose digest is not a revision of their repository become problems.
 * @param store tells which signatures have tags
 */
export function withTagMap<Some extends Catalog>(catalog: Some, map: TagMap, store: ContentStore): Some {
  const choices = new Map<string, Map<string, Digest>>();
  const problems: Problem[] = [...map.problems];
  const byRepository = new Map<string, TagMapEntry[]>();
  for (const entry of [...map.entries, ...taggedSignatures(map, store)]) {
    const group = byRepository.get(entry.repository);
    if (group === undefined) byRepository.set(entry.repository, [entry]);
    else group.push(entry);
  }
  for (const [repository, entries] of byRepository) {
    const revisions = new Set(catalog.revisions(repository));
    const stored = new Map([...catalog.tags(repository)].map(({ tag, digest }) => [tag, digest]));
    const chosen = new Map<string, Digest>();
    for (const { tag, digest } of entries) {
      if (!revisions.has(digest)) {
        problems.push({
          code: 'TAG_MAP_UNKNOWN',
          repository,
          tag,
          digest,
          message:
            `the tag map names ${repository}:${tag}, but ${digest} is not a manifest of ${repository} ` +
            'in this backup',
        });
        continue;
      }
      const before = stored.get(tag);
      if (before !== undefined && before !== digest) {
        problems.push({
          code: 'TAG_CONFLICT',
          repository,
          tag,
          digest,
          message: `${repository}:${tag} is ${digest} in the tag map, which is used, and ${before} in storage`,
        });
      }
      chosen.set(tag, digest);
    }
    choices.set(repository, chosen);
  }
  return withChosenTags(catalog, choices, problems);
}

/**
 * The last one that was pushed by its tag: one that names its subject was pushed by its digest, and found through it.
 * @see goharbor/harbor, src/server/middleware/cosign and subject: both record `signature.cosign`
 */
function taggedSignatures({ entries, signatures }: TagMap, store: ContentStore): readonly TagMapEntry[] {
  const named = new Set(entries.map(({ repository, tag }) => `${repository}:${tag}`));
  const last = new Map<string, SignatureEntry>();
  for (const entry of signatures) {
    const name = `${entry.repository}:${entry.tag}`;
    const other = last.get(name);
    const isLater = other === undefined || entry.signedAt >= other.signedAt;
    if (!named.has(name) && isLater && !hasSubject(store, entry.digest)) last.set(name, entry);
  }
  return [...last.values()];
}

function hasSubject(store: ContentStore, digest: Digest): boolean {
  try {
    return readManifest(store, digest).manifest.subject !== undefined;
  } catch (error) {
    // What is missing or damaged is told of where it is needed.
    if (error instanceof RegtarError && error.code !== 'SOURCE_CHANGED') return false;
    throw error;
  }
}

async function checkRows(
  rows: AsyncIterable<TagMapRow>,
  options: TagMapOptions,
): Promise<Pick<TagMap, 'entries' | 'signatures'>> {
  const entries = new Map<string, TagMapEntry & { readonly line: number }>();
  const signatures: SignatureEntry[] = [];
  const refuseFullHeap = createHeapGuard(options.describe, 'MEMORY_FULL');
  for await (const { repository, tag, digest, line, signedAt } of rows) {
    refuseFullHeap();
    if (!isRepository(repository))
      throw invalidTagMap(options, line, `"${repository.slice(0, 200)}" is not a repository name`);
    if (!isTag(tag)) throw invalidTagMap(options, line, `"${tag.slice(0, 200)}" is not a tag`);
    if (!isDigest(digest)) throw invalidTagMap(options, line, `"${digest.slice(0, 200)}" is not a digest`);
    if (signedAt !== undefined) {
      signatures.push({ repository, tag, digest, signedAt });
      continue;
    }
    const name = `${repository}:${tag}`;
    const earlier = entries.get(name);
    if (earlier !== undefined && earlier.digest !== digest)
      throw invalidTagMap(options, line, `${name} is ${digest}, but line ${earlier.line} says ${earlier.digest}`);
    if (earlier === undefined) entries.set(name, { repository, tag, digest, line });
  }
  return {
    entries: [...entries.values()].map(({ repository, tag, digest }) => ({ repository, tag, digest })),
    signatures,
  };
}

function isSql(first: string): boolean {
  return /^(?:--|\\|\/\*|(?:SET|COPY|INSERT|CREATE|SELECT|ALTER|DROP)\s|BEGIN\s*;)/i.test(first);
}

function refuseBinary(first: string, options: TagMapOptions): void {
  if (first.startsWith('PGDMP'))
    throw new RegtarError('TAG_MAP_INVALID', `${options.describe} is a dump in PostgreSQL's own format`, {
      where: { path: options.describe },
      hint: 'make it plain: pg_restore -f tags.sql -t repository -t artifact -t tag <dump>',
    });
  // A byte that text never has: compressed files and archives.
  if (first.includes('\0') || first.startsWith('\x1f') || first.startsWith('\u{fffd}'))
    throw new RegtarError('TAG_MAP_INVALID', `${options.describe} is not text`, {
      where: { path: options.describe },
      hint: 'unpack it first',
    });
}

async function* prepend(
  head: readonly NumberedLine[],
  rest: AsyncGenerator<NumberedLine>,
): AsyncGenerator<NumberedLine> {
  yield* head;
  yield* rest;
}
