import type { Problem } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { limits } from '../../io/limits.ts';
import type { Backup, Entry, Location } from '../../source/backup.ts';
import type { HeldMember } from './held-member.ts';
import { cleanPath, linkedPath, parseStoragePath, type StoragePath } from './layout.ts';

/** A hard or symbolic link that stands where storage has a file. */
export interface PendingLink {
  readonly path: string;
  readonly meaning: StoragePath;
  readonly target: string;
  readonly kind: 'hardlink' | 'symlink';
  readonly modified: number;
  /** Which of several backups it is in: links never lead from one into another. */
  readonly source: number;
}

/** What links are resolved against, and where the results go. */
export interface ResolveOptions {
  readonly signal?: AbortSignal | undefined;
  readonly place: (path: StoragePath, source: HeldMember) => void;
  readonly locate: (digest: Digest) => Location | undefined;
  readonly report: (problem: Problem) => void;
}

/** A chain longer than this is a cycle or an attack. */
const longestChain = 40;

/**
 * Gives linked files their bytes. Targets may come before or after the link and lie outside the storage tree
 * (`docker/skopeo/…`), so they are looked up in further passes over the headers: that costs time in the rare backup
 * that needs it, and no memory in the others.
 * Nothing outside the backup is ever followed.
 */
export async function resolveLinks(
  backup: Backup,
  links: readonly PendingLink[],
  options: ResolveOptions,
): Promise<void> {
  let open = links.map((link) => ({ link, target: linkedPath(link.path, link.target, link.kind) }));
  for (let round = 0; open.length > 0 && round < longestChain; round++) {
    open = settleBlobs(open, options);
    const wanted = new Set(
      open.flatMap(({ link, target }) => (target === undefined ? [] : [keyOf(link.source, target)])),
    );
    if (wanted.size === 0) break;
    const found = await findMembers(backup, wanted, options.signal);
    const left: typeof open = [];
    for (const item of open) {
      const hit = item.target === undefined ? undefined : found.get(keyOf(item.link.source, item.target));
      if (hit === undefined) left.push({ ...item, target: undefined });
      else if ('file' in hit) options.place(item.link.meaning, { ...hit.file, modified: item.link.modified });
      else left.push({ link: item.link, target: hit.next });
    }
    open = left;
    if (open.every(({ target }) => target === undefined)) break;
  }
  for (const { link } of open) {
    options.report({
      code: 'TAR_LINK_INVALID',
      path: link.path,
      message: `${link.path} is a link to ${link.target}, which is not a file in this backup`,
    });
  }
}

type Open = { readonly link: PendingLink; readonly target: string | undefined }[];

/** Links to a blob's own path, which most hard links are, need no further pass. */
function settleBlobs(open: Open, options: ResolveOptions): Open {
  return open.filter(({ link, target }) => {
    const meaning = target === undefined ? undefined : parseStoragePath(target);
    if (link.meaning.kind !== 'blob' || meaning?.kind !== 'blob') return true;
    const location = options.locate(meaning.digest);
    if (location === undefined) return true;
    options.place(link.meaning, { location, bytes: undefined, modified: link.modified, path: link.path });
    return false;
  });
}

async function findMembers(
  backup: Backup,
  wanted: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<Map<string, { file: HeldMember } | { next: string | undefined }>> {
  const found = new Map<string, { file: HeldMember } | { next: string | undefined }>();
  await backup.scan(
    (entry: Entry) => {
      const path = cleanPath(entry.path);
      if (path === undefined) return;
      const key = keyOf(entry.location.source ?? 0, path);
      if (!wanted.has(key)) return;
      if (entry.kind === 'file') {
        const bytes =
          entry.bytes === undefined || entry.location.size > limits.linkBytes
            ? undefined
            : Uint8Array.from(entry.bytes);
        found.set(key, { file: { location: entry.location, bytes, modified: entry.modified, path: entry.path } });
      } else if (entry.kind === 'hardlink' || entry.kind === 'symlink')
        found.set(key, { next: linkedPath(entry.path, entry.target, entry.kind) });
    },
    { signal },
  );
  return found;
}

function keyOf(source: number, path: string): string {
  return source === 0 ? path : `${source}:${path}`;
}
