import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { RegtarError, systemReason } from '../errors.ts';
import { freeBytes } from '../io/free-bytes.ts';
import { openPipe } from '../io/open-pipe.ts';
import type { Backup } from './backup.ts';
import { bytesAccess } from './bytes-access.ts';
import { decompress, type Compression } from './decompress.ts';
import type { OpenSourceOptions } from './options.ts';
import { recogniseAccess } from './source-form.ts';
import { openStream } from './stream.ts';

/** A stream as it comes in, and what it is called. */
export interface StreamInput {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly form: 'tar' | Compression;
  readonly describe: string;
  /** Size of what was given, where it is known. */
  readonly bytes: number | undefined;
  readonly release?: () => void;
}

/** How much of a stream is looked at before it is taken for a tar. */
const peekedBytes = 256 * 1024;

/** Standard input: a tar, plain or compressed. @throws RegtarError SOURCE_EMPTY, SOURCE_COMPRESSED, SOURCE_NOT_TAR */
export async function openStandardInput(options: OpenSourceOptions): Promise<Backup> {
  const { stdin } = options;
  if (stdin === undefined)
    throw new RegtarError('USAGE', 'nothing is connected to standard input', {
      hint: 'pipe a backup in: `ssh old tar -C /var/lib/registry -cf - docker | regtar inspect -`',
    });
  // An input that stalls must not outlive Ctrl-C: nothing else would end the wait for its next bytes.
  if (options.signal !== undefined) addAbortSignal(options.signal, stdin);
  return openReadable(stdin, 'standard input', options);
}

/**
 * A named pipe, a shell's `<(command)`, a device.
 * @throws RegtarError SOURCE_UNREADABLE, SOURCE_EMPTY, SOURCE_COMPRESSED, SOURCE_NOT_TAR
 */
export async function openNamedPipe(path: string, options: OpenSourceOptions): Promise<Backup> {
  let stream: Readable;
  try {
    stream = openPipe(path, options.signal);
  } catch (cause) {
    throw new RegtarError('SOURCE_UNREADABLE', `${path} cannot be read: ${systemReason(cause)}`, {
      where: { path },
      cause,
    });
  }
  return openReadable(stream, path, options);
}

async function openReadable(stream: Readable, describe: string, options: OpenSourceOptions): Promise<Backup> {
  const { start, chunks } = await peek(stream as AsyncIterable<Uint8Array>);
  const form = recogniseAccess(bytesAccess(start), describe);
  return openCompressed({ chunks, form, describe, bytes: undefined, release: () => void stream.destroy() }, options);
}

/**
 * A stream of known form: reads what it begins with before anything is promised.
 * @throws RegtarError SOURCE_EMPTY, SOURCE_COMPRESSED, SOURCE_NOT_TAR
 */
export async function openCompressed(input: StreamInput, options: OpenSourceOptions): Promise<Backup> {
  const { form, describe, bytes, release } = input;
  const damage: { message?: string } = {};
  const unpacked = form === 'tar' ? input.chunks : untilDamage(decompress(input.chunks, form), form, damage);
  const { start, chunks } = await peek(unpacked);
  if (start.length === 0 && damage.message !== undefined)
    throw new RegtarError('SOURCE_COMPRESSED', `${describe} ${damage.message}`, {
      where: { path: describe },
      hint: "was the copy interrupted? Compare its checksum with the original's",
    });
  const inside = form === 'tar' ? 'tar' : recogniseAccess(bytesAccess(start), `${describe} unpacked`);
  if (inside !== 'tar')
    throw new RegtarError('SOURCE_COMPRESSED', `${describe} is compressed twice`, {
      where: { path: describe },
      hint: 'unpack it once on the way, and give the result as `-`',
    });
  const spoolFolder = options.spoolFolder ?? tmpdir();
  const keep = options.keep ?? 'all';
  const backup = openStream({
    describe,
    format: form === 'tar' ? 'tar' : form === 'gzip' ? 'tar.gz' : 'tar.zst',
    bytes,
    chunks,
    spoolFolder,
    keep,
    ...(release && { release }),
    onStart: () =>
      options.onNotice?.(
        keep === 'all'
          ? spoolNotice(describe, spoolFolder, bytes, options.spoolFolder === undefined)
          : `${describe} is read once to its end; only manifests are kept, in ${spoolFolder}`,
      ),
  });
  return {
    ...backup,
    scan: async (visit, scanOptions) => {
      const problems = await backup.scan(visit, scanOptions);
      return damage.message === undefined
        ? problems
        : [
            ...problems,
            { code: 'SOURCE_UNREADABLE', message: `${describe} ${damage.message}; what comes before is used` },
          ];
    },
  };
}

function spoolNotice(describe: string, folder: string, bytes: number | undefined, isDefault: boolean): string {
  const need = bytes === undefined ? 'as much room as its blobs take' : `${gigabytes(bytes)} or somewhat more`;
  const free = freeBytes(existsSync(folder) ? folder : dirname(folder));
  const room =
    free === undefined
      ? ''
      : bytes !== undefined && free < bytes
        ? `, but only ${gigabytes(free)} are free there`
        : `; ${gigabytes(free)} are free there`;
  return (
    `${describe} can be read only once: its blobs are kept in ${folder} until they are in the output, which ` +
    `needs ${need}${room}${isDefault ? ' (TMPDIR names another place)' : ''}`
  );
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/**
 * Ends where the compressed bytes are damaged: what comes before is whole, and the reader above tells where the archive
 * was cut.
 */
async function* untilDamage(
  chunks: AsyncIterable<Uint8Array>,
  form: Compression,
  damage: { message?: string },
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    if (error instanceof RegtarError || (error instanceof Error && error.name === 'AbortError')) throw error;
    damage.message =
      `is damaged: its ${form} data cannot be unpacked further ` +
      `(${error instanceof Error ? error.message : String(error)})`;
  }
}

async function peek(
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly start: Uint8Array; readonly chunks: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let isOver = false;
  for (let length = 0; length < peekedBytes && !isOver;) {
    const result = await iterator.next();
    isOver = result.done === true;
    // A copy: the producer may reuse its chunk before it is asked for here again.
    if (result.done !== true)
      length += pieces[pieces.push(Uint8Array.prototype.slice.call(result.value)) - 1]?.length ?? 0;
  }
  const start = Buffer.concat(pieces);
  return {
    start,
    chunks: (async function* () {
      if (start.length > 0) yield start;
      if (!isOver) yield* { [Symbol.asyncIterator]: () => iterator };
    })(),
  };
}
