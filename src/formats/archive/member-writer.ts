import { RegtarError } from '../../errors.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import type { OutputStream } from '../../io/output-stream.ts';
import type { Ring } from '../../io/ring.ts';
import { encodeMemberHeader, memberPadding } from '../../tar/write-header.ts';
import type { ArchiveFile, ClosingFile } from './archive-format.ts';
import { PathSet } from './path-set.ts';
import type { PutBlob } from './prefetch-blobs.ts';

/** Writes members, each path once, and takes back those of an image that failed. */
export interface MemberWriter {
  has(path: string): boolean;
  /** A path that is there already is not written again. */
  writeFile(file: ArchiveFile | ClosingFile): Promise<void>;
  /** @param chunks the blob's bytes where they were read ahead; otherwise it is streamed through the ring */
  writeBlob(path: string, blob: PutBlob, chunks: readonly Uint8Array[] | undefined, ring: Ring): Promise<void>;
  /** Work that fails leaves the archive as it was, or spoilt. @throws what the work throws */
  orNothing(work: () => Promise<void>): Promise<void>;
  /** Whether a member was cut on a stream that cannot be rewound. */
  readonly isSpoilt: boolean;
}

/** How the members of an archive are written. */
export interface MemberOptions {
  /** Whether the directories above a file have members, too. */
  readonly directories: boolean;
  readonly owner: OwnerIds | undefined;
}

/** Nothing is written yet. */
export function createMemberWriter(output: OutputStream, { directories, owner }: MemberOptions): MemberWriter {
  const paths = new PathSet();
  /** Since the work began that may be taken back. */
  let added: string[] = [];
  let isSpoilt = false;
  /** Between a streamed member's header and its end. */
  let isInMember = false;

  const claim = (path: string): boolean => {
    if (!paths.add(path)) return false;
    added.push(path);
    return true;
  };
  const writeDirectoriesAbove = async (path: string): Promise<void> => {
    const missing: string[] = [];
    // Where one is there, those above it are, too.
    for (let slash = path.lastIndexOf('/', path.length - 2); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const directory = path.slice(0, slash + 1);
      if (!claim(directory)) break;
      missing.unshift(directory);
    }
    for (const directory of missing)
      await output.write(encodeMemberHeader({ path: directory, kind: 'directory', size: 0, owner }));
  };
  const writeHeader = async (
    path: string,
    kind: 'file' | 'directory',
    size: number,
    modified?: number,
  ): Promise<void> => {
    if (directories) await writeDirectoriesAbove(path);
    await output.write(encodeMemberHeader({ path, kind, size, owner, modified }));
  };
  const stream = async (
    { descriptor, signal, onBytes }: PutBlob,
    open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> => {
    isInMember = true;
    const start = output.position;
    for await (const chunk of open()) {
      signal?.throwIfAborted();
      await output.write(chunk);
      onBytes?.(chunk.length);
    }
    if (output.position !== start + descriptor.size)
      throw new RegtarError('INTERNAL', `${descriptor.digest} has another size than its header says`);
    await output.write(memberPadding(descriptor.size));
    isInMember = false;
  };

  return {
    has: (path) => paths.has(path),
    get isSpoilt() {
      return isSpoilt;
    },
    async writeFile(file) {
      const { path, bytes } = file;
      if (!claim(path)) return;
      const modified = 'modified' in file ? file.modified : undefined;
      await writeHeader(path, path.endsWith('/') ? 'directory' : 'file', bytes.length, modified);
      for (const piece of bytes instanceof Uint8Array ? [bytes] : bytes) await output.write(piece);
      await output.write(memberPadding(bytes.length));
    },
    async writeBlob(path, blob, chunks, ring) {
      const { descriptor, open, onBytes } = blob;
      claim(path);
      await writeHeader(path, 'file', descriptor.size);
      if (chunks === undefined && (await output.keep?.(descriptor)) === true) {
        onBytes?.(descriptor.size);
        await output.write(memberPadding(descriptor.size));
      } else await stream(blob, () => chunks ?? open(0, ring));
    },
    async orNothing(work) {
      const mark = output.position;
      added = [];
      try {
        await work();
      } catch (error) {
        if (output.rewindable) {
          await output.rewind(mark);
          for (const path of added) paths.delete(path);
          isInMember = false;
        } else isSpoilt = isInMember;
        throw error;
      }
    },
  };
}
