import { createHash } from 'node:crypto';
import { pipeline, Transform, type Readable } from 'node:stream';
import { refuseOverlap, type WrittenPath } from '../io/overlap.ts';
import type { Catalog, ContentStore } from '../content/contracts.ts';
import { RegtarError } from '../errors.ts';
import { parseImageReference } from '../oci/reference.ts';
import type { OpenedSource } from '../source/opened-source.ts';
import type { Kept } from '../source/stream-pass.ts';
import { isFarOperand } from '../source/far/operand.ts';
import { openSource } from '../source/open-source.ts';
import { readSource, type ReadSource } from '../formats/read-source.ts';
import { withTagAt } from '../names/chosen-tags.ts';
import { readTagMap, withTagMap } from '../names/tag-map.ts';
import type { Context } from './context.ts';
import { isPipe, whileWaiting } from './hold-pipes.ts';
import { farAccess, type FarOptions } from './far-access.ts';
import { keepYoungHeapSmall, limitHeapGrowth, limitLargeHeap } from './heap-growth.ts';
import type { SourceOption } from './operands.ts';

/** A backup that a command works on: open, scanned, ready to be read. */
export interface OpenedBackup {
  readonly backup: OpenedSource;
  readonly catalog: Catalog;
  readonly store: ContentStore;
  /** Where single images lie, and which formats they have. */
  readonly read: ReadSource;
  /**
   * The SHA-256 of what came through standard input, once it has been read to its end; absent where it was not asked
   * for.
   */
  readonly inputHash?: () => string | undefined;
}

/** What every command that reads a backup understands of it. */
export interface BackupOptions extends SourceOption, FarOptions {
  /** Names for manifests that storage has no tags of. */
  readonly tagMap?: string;
  /** `repository:tag@digest`, repeatable: which image of its history a tag points to. */
  readonly atDigest?: readonly string[];
  /** `--repository`: the one of images whose names are tags alone, or that have none. */
  readonly repository?: string;
  /** `--index-file`: an index that does not lie beside its tar. */
  readonly indexFile?: string;
}

/** How much of a backup a command needs, and where it may be spooled. */
export interface OpenOptions extends BackupOptions {
  /**
   * Where standard input and compressed backups are spooled: on the output's own file system, so that files are renamed
   * into place.
   */
  readonly spoolFolder?: string | undefined;
  /** `small` for commands that read no layers, `digests` for those that only hash them. @defaultValue `all` */
  readonly keep?: Kept;
  /**
   * Whether links of a folder are read although their paths say the same: for commands that look for damage.
   * @defaultValue false
   */
  readonly checkLinks?: boolean;
  /** Whether an index is to be written. */
  readonly recordIndex?: boolean;
  /** What is going to be written: none of it may be what is read. */
  readonly outputs?: readonly WrittenPath[];
  /** Whether the SHA-256 of standard input will be needed. */
  readonly hashInput?: boolean;
}

/** Opens SOURCE, reads its catalog, gives it to `use` and closes it in every case. */
export async function withBackup<Result>(
  sources: readonly string[],
  options: OpenOptions,
  context: Context,
  use: (opened: OpenedBackup) => Promise<Result>,
): Promise<Result> {
  const input = options.hashInput === true && sources.includes('-') ? hashedInput() : undefined;
  const open = (): Promise<OpenedSource> =>
    openSource(sources, {
      signal: context.signal,
      stdin: input?.stream ?? process.stdin,
      trustLinks: options.checkLinks !== true,
      onNotice: (text) => context.output.message(`regtar: ${text}`),
      ...(options.keep !== undefined && { keep: options.keep }),
      indexFile: options.indexFile,
      recordIndex: options.recordIndex,
      far: farAccess(options, context),
      ...(options.spoolFolder !== undefined && { spoolFolder: options.spoolFolder }),
    });
  const isFar = sources.some(isFarOperand);
  if (isFar) keepYoungHeapSmall();
  const pipe = sources.find(isPipe);
  const backup = pipe === undefined ? await open() : await whileWaiting(pipe, context, open);
  try {
    refuseOverlap(options.outputs ?? [], [
      ...backup.given.flatMap(({ paths }) => paths),
      // A folder of volumes stands for them, and is read as well.
      ...sources.filter((source) => source !== '-' && !isFarOperand(source)),
      // `regtar export - docker.tar < docker.tar`
      ...(sources.includes('-') ? ['/dev/stdin'] : []),
    ]);
  } catch (error) {
    await backup.close();
    throw error;
  }
  // A second Ctrl-C, or a failure that was not caught, must not leave gigabytes behind.
  const onExit = (): void => backup.spool?.removeSync();
  process.once('exit', onExit);
  try {
    // Manifests of bytes elsewhere are in memory, too, and waiting for a network leaves time to collect.
    limitHeapGrowth(isFar ? 10 : 50);
    const read = await readSource(backup, { signal: context.signal, repository: options.repository });
    for (const note of read.notes) context.output.message(`note: ${note}`);
    const catalog = await renameTags(read, options, context);
    limitLargeHeap();
    return await use({
      backup,
      catalog,
      store: read.store,
      read: { ...read, catalog },
      ...(input && { inputHash: input.hash }),
    });
  } finally {
    await backup.close();
    process.off('exit', onExit);
  }
}

/** Standard input, hashed on its way. */
function hashedInput(): { readonly stream: Readable; readonly hash: () => string | undefined } {
  const hash = createHash('sha256');
  let hex: string | undefined;
  const stream = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      hash.update(chunk);
      done(undefined, chunk);
    },
    flush(done) {
      hex = hash.digest('hex');
      done();
    },
  });
  // A reader that stops early lets go of standard input too; an error reaches the reader by itself.
  pipeline(process.stdin, stream, () => undefined);
  return { stream, hash: () => hex };
}

async function renameTags(
  { catalog, store }: Pick<ReadSource, 'catalog' | 'store'>,
  options: BackupOptions,
  context: Context,
): Promise<Catalog> {
  const { tagMap } = options;
  const named =
    tagMap === undefined
      ? catalog
      : withTagMap(
          catalog,
          await whileWaiting(tagMap, context, () => readTagMap(tagMap, { signal: context.signal })),
          store,
        );
  return (options.atDigest ?? []).reduce((chosen, text) => {
    const { repository, tag, digest } = parseImageReference(text);
    if (tag === undefined || digest === undefined) {
      throw new RegtarError('REFERENCE_INVALID', `"${text}" does not say which tag gets which digest`, {
        hint:
          'write --at-digest repository:tag@sha256:…; `regtar inspect repository:tag --history` lists the ' +
          'images that it pointed to',
      });
    }
    return withTagAt(chosen, { repository, tag, digest });
  }, named);
}
