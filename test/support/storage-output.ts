import { Buffer } from 'node:buffer';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { storagePaths } from './storage-paths.ts';
import { archive, directory, file, hardLink, symlink, type ArchiveOptions, type TarDialect } from './tar-builder.ts';

/** How members follow each other: by path (so blobs first), the other way round (links first), or mixed (the same mix each time). */
export type MemberOrder = 'path' | 'links-first' | 'mixed';

export interface StorageTarOptions extends ArchiveOptions {
  readonly dialect?: TarDialect;
  /** What stands before `blobs/` and `repositories/`; `docker/registry/v2` unless told. May be empty. */
  readonly root?: string;
  readonly order?: MemberOrder;
  /** `false` leaves directory members out, as trees synced from S3 have none. */
  readonly directories?: boolean;
  /**
   * Other names of blobs, as the folder of hard links that people make beside the storage. `hard` and `symbolic`: the other name carries the
   * bytes and the blob is a link to it; `reversed`: the blob carries them and the other name is a hard link.
   */
  readonly aliases?: readonly {
    readonly digest: Digest;
    readonly path: string;
    readonly kind: 'hard' | 'symbolic' | 'reversed';
  }[];
  /** Writes a file's members by hand; `undefined` leaves them as they are, `[]` drops them. The path is relative to the root. */
  readonly rewrite?: (path: string, bytes: Buffer, fullPath: string) => readonly Uint8Array[] | undefined;
  readonly before?: readonly Uint8Array[];
  readonly after?: readonly Uint8Array[];
}

export interface BuiltStorage {
  /** Path beneath `docker/registry/v2` → bytes. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** The bytes of a blob. @throws Error when it is not stored */
  blob(digest: Digest): Buffer;
  /** The archive's members, one element each, without end blocks. */
  members(options?: StorageTarOptions): Uint8Array[];
  /** What `tar -cf - docker` would give. */
  tar(options?: StorageTarOptions): Buffer;
  /** Writes `<folder>/docker/registry/v2/…`. */
  writeTo(folder: string, options?: Pick<StorageTarOptions, 'root'>): Promise<void>;
}

const defaultRoot = 'docker/registry/v2';

export function builtStorage(files: ReadonlyMap<string, Buffer>): BuiltStorage {
  return {
    files,
    blob: (digest) => {
      const bytes = files.get(storagePaths.blob(digest));
      if (bytes === undefined) throw new Error(`${digest} is not stored`);
      return bytes;
    },
    members: (options = {}) => membersOf(files, options),
    tar: (options = {}) => archive(membersOf(files, options), options),
    writeTo: async (folder, { root = defaultRoot } = {}) => {
      for (const [path, bytes] of files) {
        const target = join(folder, root, path);
        await mkdir(dirname(target), { recursive: true });
        await writeFile(target, bytes);
      }
    },
  };
}

function membersOf(files: ReadonlyMap<string, Buffer>, options: StorageTarOptions): Uint8Array[] {
  const { dialect = 'gnu', root = defaultRoot, aliases = [] } = options;
  const full = (path: string): string => (root === '' ? path : `${root}/${path}`);
  const aliasOf = new Map(aliases.map((alias) => [storagePaths.blob(alias.digest), alias]));
  const members: Uint8Array[] = [...(options.before ?? [])];
  const seen = new Set<string>();
  for (const [path, bytes] of ordered(files, options.order ?? 'path')) {
    const name = full(path);
    if (options.directories !== false)
      members.push(...parents(name, seen).map((folder) => directory(folder, { dialect })));
    const alias = aliasOf.get(path);
    const byHand = options.rewrite?.(path, bytes, name);
    if (byHand !== undefined) members.push(...byHand);
    else if (alias === undefined) members.push(file(name, bytes, { dialect }));
    else if (alias.kind === 'reversed')
      members.push(file(name, bytes, { dialect }), hardLink(alias.path, name, { dialect }));
    else if (alias.kind === 'hard')
      members.push(file(alias.path, bytes, { dialect }), hardLink(name, alias.path, { dialect }));
    else
      members.push(
        symlink(name, `${'../'.repeat(name.split('/').length - 1)}${alias.path}`, { dialect }),
        file(alias.path, bytes, { dialect }),
      );
  }
  return [...members, ...(options.after ?? [])];
}

function ordered(files: ReadonlyMap<string, Buffer>, order: MemberOrder): [string, Buffer][] {
  const all = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  switch (order) {
    case 'path':
      return all;
    case 'links-first':
      return all.reverse();
    case 'mixed':
      return all
        .map((entry) => ({ entry, key: digestOf(Buffer.from(entry[0])) }))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ entry }) => entry);
  }
}

/** The folders above a path that no member has named yet, outermost first. */
function parents(path: string, seen: Set<string>): string[] {
  const parts = path.split('/');
  const folders = parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'));
  return folders.filter((folder) => folder !== '' && folder !== '.' && !seen.has(folder) && seen.add(folder));
}
