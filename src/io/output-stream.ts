import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { RegtarError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { openFileSpan, type FileSpan } from './file-span.ts';
import { onOutput, outputError } from './output-error.ts';
import { giveName, writeFully } from './write-file.ts';

/** One long file or stream, written from its beginning to its end. */
export interface OutputStream {
  /** Whether what was written can be taken back; not on a pipe. */
  readonly rewindable: boolean;
  /** How many bytes were written. */
  readonly position: number;
  /** @param bytes stay valid until the next call has returned: their write may still be under way */
  write(bytes: Uint8Array): Promise<void>;
  /** Takes back everything from a position on. */
  rewind(position: number): Promise<void>;
  /**
   * Passes over a body that an earlier run has written here already.
   * @returns false where its bytes are not here: then write it. Absent where nothing is gone on with
   */
  keep?(body: { readonly digest: Digest; readonly size: number }): Promise<boolean>;
  /** Whether what comes next was probably written by an earlier run. */
  willKeep?(): boolean;
  /** Bytes that an earlier run had written, and that were right. */
  readonly kept?: number;
  /** Writes over the beginning. Absent where that cannot be. */
  amend?(bytes: Uint8Array): Promise<void>;
  /** Stops without losing what was written: a later run goes on with it. Absent where that cannot be. */
  leave?(): Promise<void>;
  /** Everything is written and synced, and the file has its name. */
  complete(): Promise<void>;
  /** Forgets the file. What a pipe has taken is gone; it only ends. */
  discard(): Promise<void>;
}

/** Where one output file is written, and what keeps others from it. */
export interface OutputFile {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  /**
   * Where its bytes are while it is not complete: beside it, always the same name, so that the next run writes over it.
   */
  readonly temporary: string;
  readonly lock: string;
}

/** Small pieces are gathered up to this many bytes, so that a header does not cost a trip to the thread pool. */
const gatherBytes = 256 * 1024;
const smallBytes = 64 * 1024;

/** The names around an output file. */
export function outputFile(out: string): OutputFile {
  const path = existsSync(out) ? realpathSync(out) : resolve(out);
  const beside = (ending: string): string => join(dirname(path), `.regtar-${basename(path)}.${ending}`);
  return { path, temporary: beside('tmp'), lock: beside('lock') };
}

/** Whether OUT is there and neither a file nor a folder: a pipe, a device. Such a thing is written as it is. */
export function isSpecialFile(out: string): boolean {
  const found = onOutput(out, () => statSync(out, { throwIfNoEntry: false }));
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

/** @throws RegtarError OUTPUT_FOREIGN when a file is there that does not begin as regtar's do */
export function refuseForeignFile(path: string, beginning: Uint8Array): void {
  const found = onOutput(path, () => statSync(path, { throwIfNoEntry: false }));
  if (found === undefined || (found.isFile() && (found.size === 0 || startsWith(path, beginning)))) return;
  throw new RegtarError(
    'OUTPUT_FOREIGN',
    found.isDirectory()
      ? `${path} is a folder, and this format makes one file`
      : `${path} is there and regtar did not make it`,
    {
      where: { path },
      hint: 'choose a new name: regtar replaces only archives that it made itself',
    },
  );
}

/** How an output file is begun. */
export interface OutputFileOptions {
  /**
   * Goes on with what an earlier run left at `temporary`: as far as it is what would be written now, it is kept.
   * @defaultValue false
   */
  readonly resume?: boolean | undefined;
  /** Called before anything gets its name. */
  readonly requireSame?: (() => void) | undefined;
}

/**
 * Writes `file.temporary`, and renames it to `path` when it is complete.
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function createOutputFile(path: string, temporary: string, options: OutputFileOptions = {}): OutputStream {
  return createOutputParts([{ path, temporary }], Infinity, options);
}

/**
 * Writes a file that is cut into parts. The first part gets its name last, so that what shows is whole.
 * @param partBytes the size of each part but the last
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function createOutputParts(
  files: readonly Pick<OutputFile, 'path' | 'temporary'>[],
  partBytes: number,
  { resume = false, requireSame }: OutputFileOptions = {},
): OutputStream {
  const path = files[0]?.path ?? '';
  requireSame?.();
  const span = openFileSpan(
    files.map(({ temporary }) => temporary),
    partBytes,
    { resume },
  );
  return streamTo((bytes, position) => span.write(bytes, position), path, {
    rewindable: true,
    earlier: resume ? span : undefined,
    amend: (bytes) => span.write(bytes, 0),
    end: async (size) => {
      await span.finish(size);
      requireSame?.();
      for (const file of [...files].reverse())
        if (file === files[0] || existsSync(file.temporary)) giveName(file.temporary, file.path, { sync: true });
    },
    leave: () => span.close(),
    discard: () => {
      span.close();
      for (const { temporary } of files) rmSync(temporary, { force: true });
    },
  });
}

/**
 * Writes a pipe or a device that is there.
 * @param opened a descriptor of it, which is closed at the end; opened here where absent
 */
export function openSpecialFile(path: string, opened?: number): OutputStream {
  const descriptor = opened ?? onOutput(path, () => openSync(path, 'w'));
  const close = (): void => closeSync(descriptor);
  return streamTo((bytes) => writeFully(descriptor, bytes, undefined, path), path, {
    rewindable: false,
    end: async () => close(),
    discard: close,
  });
}

/** Writes an open descriptor, which stays open. @param name for messages */
export function openOutputDescriptor(descriptor: number, name: string): OutputStream {
  return streamTo((bytes) => writeFully(descriptor, bytes, undefined, name), name, {
    rewindable: false,
    end: async () => {
      // Standard output may be a file, and then a full disk may show only now.
      if (fstatSync(descriptor).isFile()) fsyncSync(descriptor);
    },
    discard: () => undefined,
  });
}

interface Ending {
  readonly rewindable: boolean;
  /** What an earlier run has written. */
  readonly earlier?: FileSpan | undefined;
  readonly amend?: (bytes: Uint8Array) => Promise<void>;
  readonly end: (size: number) => Promise<void>;
  readonly leave?: () => void;
  readonly discard: () => void;
}

function streamTo(
  writeAt: (bytes: Uint8Array, position: number) => Promise<void>,
  path: string,
  { rewindable, earlier, amend, end, leave, discard }: Ending,
): OutputStream {
  const sender = createSender(writeAt, earlier);
  let gathering = Buffer.allocUnsafeSlow(gatherBytes);
  let other = Buffer.allocUnsafeSlow(gatherBytes);
  let gathered = 0;
  /** Whether the bytes under way are a caller's, who waits for them; the gathered ones are our own. */
  let isLent = false;

  const sendGathered = async (): Promise<void> => {
    if (gathered === 0) return;
    const full = gathering.subarray(0, gathered);
    [gathering, other] = [other, gathering];
    gathered = 0;
    await sender.send(full);
    isLent = false;
  };
  const settle = async (): Promise<void> => {
    await sendGathered();
    await sender.settle();
  };

  return {
    rewindable,
    get position() {
      return sender.sent + gathered;
    },
    get kept() {
      return sender.kept;
    },
    async write(bytes) {
      if (bytes.length > smallBytes) {
        await sendGathered();
        await sender.send(bytes);
        isLent = true;
        return;
      }
      if (isLent) await sender.settle();
      isLent = false;
      if (gathered + bytes.length > gatherBytes) await sendGathered();
      gathering.set(bytes, gathered);
      gathered += bytes.length;
    },
    async rewind(position) {
      await settle();
      sender.rewind(position);
    },
    ...(earlier !== undefined && {
      willKeep: () => sender.sent + gathered < sender.comparable,
      async keep({ digest, size }: { readonly digest: Digest; readonly size: number }) {
        await sendGathered();
        return sender.keep(digest, size);
      },
    }),
    ...(amend !== undefined && {
      async amend(bytes: Uint8Array) {
        await settle();
        await amend(bytes);
      },
    }),
    async complete() {
      await settle();
      try {
        await end(sender.sent);
      } catch (error) {
        throw outputError(error, path);
      }
    },
    ...(leave !== undefined && {
      async leave() {
        await settle().catch(() => undefined);
        leave();
      },
    }),
    async discard() {
      await sender.settle().catch(() => undefined);
      discard();
    },
  };
}

/** Sends bytes, one write under way at a time. What an earlier run has written is compared and not written again. */
interface Sender {
  /** How many bytes were sent or kept. */
  readonly sent: number;
  readonly kept: number;
  /** Up to here an earlier run may have written what is written now. */
  readonly comparable: number;
  /** @param bytes stay valid until the next call of `send` or `settle` has returned */
  send(bytes: Uint8Array): Promise<void>;
  /** Waits for the write under way. */
  settle(): Promise<void>;
  /** Goes back; nothing is under way. */
  rewind(position: number): void;
  /** Passes over a body that an earlier run has written just here. @returns false where it is not here */
  keep(digest: Digest, size: number): Promise<boolean>;
}

function createSender(
  writeAt: (bytes: Uint8Array, position: number) => Promise<void>,
  earlier: FileSpan | undefined,
): Sender {
  let sent = 0;
  let kept = 0;
  let comparable = earlier?.size ?? 0;
  let pending: Promise<void> | undefined;
  return {
    get sent() {
      return sent;
    },
    get kept() {
      return kept;
    },
    get comparable() {
      return comparable;
    },
    async send(bytes) {
      await pending;
      pending = undefined;
      const position = sent;
      sent += bytes.length;
      if (earlier !== undefined && sent <= comparable && (await earlier.holds(bytes, position))) {
        kept += bytes.length;
        return;
      }
      comparable = 0;
      pending = writeAt(bytes, position);
      // Marked as handled: the next call awaits it.
      pending.catch(() => undefined);
    },
    async settle() {
      await pending;
    },
    rewind(position) {
      if (comparable > 0) kept = Math.max(0, kept - (sent - position));
      sent = position;
    },
    async keep(digest, size) {
      if (sent + size > comparable || (await earlier?.digestAt(sent, size, digest)) !== digest) return false;
      sent += size;
      kept += size;
      return true;
    },
  };
}

function startsWith(path: string, beginning: Uint8Array): boolean {
  const descriptor = onOutput(path, () => openSync(path, 'r'));
  try {
    const head = Buffer.alloc(beginning.length);
    return readSync(descriptor, head, 0, head.length, 0) === head.length && head.equals(beginning);
  } finally {
    closeSync(descriptor);
  }
}
