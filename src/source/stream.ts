import { RegtarError } from '../errors.ts';
import type { Backup, Location } from './backup.ts';
import { replayEntries } from './entry-log.ts';
import { readFileBody, readWholeFile } from './file-body.ts';
import { createSpool, type Spool } from './spool.ts';
import { notKept } from './body-takers.ts';
import { passStream, type Kept, type StreamPass } from './stream-pass.ts';
import { openTarFile } from './tar-file.ts';

/** What a stream is called, and how it is kept. */
export interface StreamOptions {
  readonly describe: string;
  /** `tar`, `tar.gz`, `tar.zst`. */
  readonly format: string;
  /** Size of what was given, where it is known. */
  readonly bytes: number | undefined;
  /** The archive, unpacked; iterated once. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Releases what `chunks` reads from. */
  readonly release?: () => void;
  readonly spoolFolder: string;
  readonly keep: Kept;
  /** Called before the first byte is kept. */
  readonly onStart?: () => void;
}

/**
 * A backup that can be read once: standard input, a compressed tar. The first scan reads it and keeps contents in a
 * spool, hashed on the way; later scans repeat what the first one saw.
 */
export function openStream(options: StreamOptions): Backup {
  let spool: Spool | undefined;
  let pass: Promise<StreamPass> | undefined;
  let small: Backup | undefined;
  const smallContents = (location: Location): Backup => {
    if (spool === undefined || location.start === notKept)
      throw new RegtarError(
        'SOURCE_UNREADABLE',
        `${options.describe} was read once, and only manifests and configs were kept`,
        { where: { path: options.describe } },
      );
    return (small ??= openTarFile(spool.pack, options.describe));
  };
  const end = (): void => {
    spool?.removeSync();
    options.release?.();
  };
  return {
    describe: options.describe,
    format: options.format,
    bytes: options.bytes,
    async scan(visit, scanOptions = {}) {
      if (pass === undefined) {
        options.onStart?.();
        spool = createSpool(options.spoolFolder);
        pass = passStream(options.chunks, spool, options.keep, visit, scanOptions);
        return (await pass).problems;
      }
      const { log, problems } = await pass;
      replayEntries(log, visit, (file) => spool?.fileOf(file) ?? '');
      return problems;
    },
    read: (location, from = 0, ring) =>
      location.file === undefined
        ? smallContents(location).read(location, from, ring)
        : readFileBody(location, from, ring),
    readSmall: (location) =>
      location.file === undefined ? smallContents(location).readSmall(location) : readWholeFile(location),
    file: (location) => location.file,
    spool: {
      digestOf: (location) => (location.file === undefined ? undefined : spool?.digestOf(location.file)),
      async keepOnly(isNeeded) {
        for (const file of [...(spool?.files() ?? [])]) if (!isNeeded({ size: 0, start: 0, file })) spool?.drop(file);
      },
      removeSync: end,
    },
    close: async () => end(),
  };
}
