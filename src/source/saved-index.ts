import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RegtarError, type Problem } from '../errors.ts';
import { requireFile } from '../io/named-file.ts';
import { onOutput } from '../io/output-error.ts';
import { isProcessAlive } from '../io/process-alive.ts';
import { openRandomAccess, readFullySync, type RandomAccess } from '../io/random-access.ts';
import { createNewFile, temporaryName } from '../io/temporary-file.ts';
import { giveName, writeFullySync } from '../io/write-file.ts';
import type { Entry } from './backup.ts';
import type { SavedIndexFacts } from './opened-source.ts';
import { copyIn, packCopies, pageOf, type Copies } from './copies.ts';
import { createEntryLog, replayEntries } from './entry-log.ts';
import { tryJson } from '../io/try-json.ts';

/**
 * An index beside a tar: what a scan said of it, and copies of its manifests and configs, so that a second look reads
 * neither headers nor the places of small blobs. A file is: blocks (pieces of the entry log, pages of copies), a table
 * of them in JSON, a footer.
 * Every block has its SHA-256 in the table and the table has its own in the footer, so damage is seen before anything
 * is believed.
 * @see docs/decisions/0006-the-saved-index.md
 */
export interface SavedIndex {
  /** Repeats what the scan said, in its order. @returns its problems */
  replay(visit: (entry: Entry) => void): readonly Problem[];
  /** @returns a copy; undefined where the index has been damaged since: the tar has the original */
  readCopy(copy: number, size: number): Uint8Array | undefined;
  close(): void;
}

const magic = 'regtar-index 1\n\0';
const footerBytes = 8 + 32 + magic.length;
/** A table of this size would belong to a tar of tens of millions of members. */
const mostTableBytes = 256 * 1024 * 1024;
/** A piece holds one entry at least, however long its names: see `longTextBytes` of tar. */
const mostBlockBytes = 64 * 1024 * 1024;
/** Up to here everything is kept in memory that has been read once. */
const mostHeldBytes = 48 * 1024 * 1024;

interface Block {
  readonly kind: 'entries' | 'page';
  readonly at: number;
  readonly length: number;
  readonly sha256: string;
}

interface Table {
  readonly size: number;
  readonly modified: number;
  readonly sample: string;
  readonly problems: readonly Problem[];
  readonly blocks: readonly Block[];
}

/** What an index must know of its tar, to be used for this one only. */
export interface IndexedTar extends Pick<RandomAccess, 'size' | 'modified' | 'changed'> {
  /** A sum of something that another tar of the same size and time has not. */
  sample(): string;
}

/** A tar in files. */
export function indexedFile(tar: RandomAccess): IndexedTar {
  return { size: tar.size, modified: tar.modified ?? 0, changed: () => tar.changed(), sample: () => sampleOf(tar) };
}

/**
 * Opens the index of a tar.
 * @returns the index, or why it cannot be used; undefined where there is none
 * @throws nothing for an index that is damaged, cut, of another tar, or made to do harm
 */
export function openSavedIndex(path: string, tar: IndexedTar): SavedIndex | { readonly stale: string } | undefined {
  if (!existsSync(path)) return undefined;
  let file: RandomAccess | undefined;
  try {
    file = openRandomAccess(path);
    const table = readTable(file);
    if (table.size !== tar.size) throw new Unusable('the tar has another size than when the index was made');
    if (table.modified !== tar.modified) throw new Unusable('the tar was written to since the index was made');
    if (table.sample !== tar.sample()) throw new Unusable('the tar has other bytes than when the index was made');
    return openBlocks(file, table, tar);
  } catch (error) {
    file?.close();
    if (error instanceof Unusable || error instanceof RegtarError) return { stale: error.message };
    throw error;
  }
}

/** Why an index is not used; never seen outside this file. */
class Unusable extends Error {}

function openBlocks(file: RandomAccess, table: Table, tar: IndexedTar): SavedIndex {
  const pages = table.blocks.filter(({ kind }) => kind === 'page');
  const entries = table.blocks.filter(({ kind }) => kind === 'entries');
  const held = new Map<Block, Buffer>();
  let heldBytes = 0;
  const read = (block: Block): Buffer | undefined => {
    const known = held.get(block);
    if (known !== undefined) return known;
    const bytes = Buffer.allocUnsafeSlow(block.length);
    if (readFullySync(file, bytes, 0, block.length, block.at) < block.length || sha256(bytes) !== block.sha256)
      return undefined;
    if (heldBytes + block.length > mostHeldBytes) {
      held.clear();
      heldBytes = 0;
    }
    held.set(block, bytes);
    heldBytes += block.length;
    return bytes;
  };
  function* pieces(): Generator<Buffer> {
    for (const block of entries) {
      const bytes = read(block);
      if (bytes === undefined)
        throw new RegtarError('INDEX_STALE', 'the index is damaged', {
          hint: 'remove the index file, then run the command again',
        });
      yield bytes;
    }
  }
  // Checked before the first one is used: a scan cannot be taken back in its middle.
  replayEntries(pieces(), (entry) => checkPlace(entry, tar.size, pages.length));
  return {
    replay(visit) {
      replayEntries(pieces(), visit);
      return table.problems;
    },
    readCopy(copy, size) {
      const block = pages[pageOf(copy)];
      return block === undefined ? undefined : copyIn(read(block), copy, size);
    },
    close: () => file.close(),
  };
}

function checkPlace(
  { location: { size, start, runs = [], copy = 0, file } }: Entry,
  tarSize: number,
  pages: number,
): void {
  const isInside = (from: number, length: number): boolean => from + length <= tarSize;
  if (
    !(runs.length > 0 || isInside(start, size)) ||
    !runs.every((run) => isInside(run.start, run.size) && run.at + run.size <= size) ||
    file !== undefined ||
    (copy > 0 && pageOf(copy) >= pages)
  ) {
    throw new Unusable('it names positions that the tar does not have');
  }
}

function readTable(file: RandomAccess): Table {
  const damaged = (): Unusable => new Unusable('it is damaged, or no index of this version of regtar');
  const footer = Buffer.alloc(footerBytes);
  const end = file.size - footerBytes;
  if (
    end < 0 ||
    readFullySync(file, footer, 0, footerBytes, end) < footerBytes ||
    footer.toString('latin1', 40) !== magic
  )
    throw damaged();
  const at = footer.readUIntBE(2, 6);
  if (at > end || end - at > mostTableBytes) throw damaged();
  const bytes = Buffer.alloc(end - at);
  if (readFullySync(file, bytes, 0, bytes.length, at) < bytes.length || sha256(bytes) !== footer.toString('hex', 8, 40))
    throw damaged();
  const table = parseTable(bytes);
  if (table === undefined || !table.blocks.every((block) => block.at + block.length <= at)) throw damaged();
  return table;
}

function parseTable(bytes: Buffer): Table | undefined {
  const json = tryJson(bytes);
  if (typeof json !== 'object' || json === null) return undefined;
  const { size, modified, sample, problems, blocks } = json as Readonly<Record<string, unknown>>;
  if (
    typeof size !== 'number' ||
    typeof modified !== 'number' ||
    typeof sample !== 'string' ||
    !Array.isArray(problems) ||
    !Array.isArray(blocks)
  )
    return undefined;
  if (!problems.every(isProblem) || !blocks.every(isBlock)) return undefined;
  return { size, modified, sample, problems, blocks };
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'message' in value &&
    typeof value.message === 'string'
  );
}

function isBlock(value: unknown): value is Block {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, at, length, sha256: hash } = value as Readonly<Record<string, unknown>>;
  return (
    (kind === 'entries' || kind === 'page') &&
    isLength(at, Number.MAX_SAFE_INTEGER) &&
    isLength(length, mostBlockBytes) &&
    typeof hash === 'string'
  );
}

function isLength(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most;
}

const samples = 16;
const sampledBytes = 4096;

/**
 * The hash of blocks spread over a tar, the first and the last among them: a file of the same size and time with other
 * bytes is not taken for the one that was scanned.
 */
function sampleOf(tar: RandomAccess): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(sampledBytes);
  for (let sample = 0; sample < samples; sample++) {
    const at = Math.floor((Math.max(tar.size - sampledBytes, 0) * sample) / (samples - 1));
    hash.update(buffer.subarray(0, readFullySync(tar, buffer, 0, sampledBytes, at)));
  }
  return hash.digest('hex');
}

/** Writes an index while its tar is scanned. */
export interface IndexWriter {
  readonly copies: Copies;
  add(entry: Entry): void;
  /** Gives the file its name, when it is whole. */
  finish(problems: readonly Problem[]): SavedIndexFacts;
  /** Removes what was written, unless it was finished. */
  discard(): void;
}

/** @throws RegtarError OUTPUT_UNWRITABLE, OUTPUT_FULL */
export function createIndexWriter(named: string, tar: IndexedTar): IndexWriter {
  const path = requireFile(named);
  removeLeftOver(path);
  const temporary = temporaryName(path);
  const descriptor = onOutput(path, () => createNewFile(temporary));
  const blocks: Block[] = [];
  let isOpen = true;
  let written = 0;
  let entries = 0;
  let copied = 0;
  const write = (bytes: Uint8Array): void => {
    writeFullySync(descriptor, bytes, written, path);
    written += bytes.length;
  };
  const writeBlock = (kind: Block['kind'], bytes: Uint8Array): void => {
    blocks.push({ kind, at: written, length: bytes.length, sha256: sha256(bytes) });
    write(bytes);
  };
  const log = createEntryLog({ onPiece: (piece) => writeBlock('entries', piece) });
  const copies = packCopies(Number.MAX_SAFE_INTEGER, (page) => writeBlock('page', page));
  return {
    copies,
    add(entry) {
      // Folders mean nothing, but for those of tags, which may lack everything else.
      if (entry.kind === 'directory' && !/\/_manifests\/tags\/[^/]+\/?$/.test(entry.path)) return;
      log.add(entry);
      entries++;
      if (entry.location.copy !== undefined) copied++;
    },
    finish(problems) {
      if (tar.changed())
        throw new RegtarError('SOURCE_CHANGED', 'the backup changed while it was read: no index is written', {
          hint: 'wait until nothing writes to it any more, then run the command again',
        });
      copies.end();
      for (const piece of log.pieces()) if (piece.length > 0) writeBlock('entries', piece);
      const table = Buffer.from(
        JSON.stringify({
          size: tar.size,
          modified: tar.modified ?? 0,
          sample: tar.sample(),
          problems,
          blocks,
        } satisfies Table),
      );
      const footer = Buffer.alloc(footerBytes);
      footer.writeUIntBE(written, 2, 6);
      footer.write(sha256(table), 8, 'hex');
      footer.write(magic, 40, 'latin1');
      write(table);
      write(footer);
      onOutput(path, () => {
        fsyncSync(descriptor);
        closeSync(descriptor);
        isOpen = false;
      });
      giveName(temporary, path, { sync: true });
      return { file: path, entries, copies: copied, bytes: written };
    },
    discard() {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
      rmSync(temporary, { force: true });
    },
  };
}

/** What a run left that was killed. */
function removeLeftOver(path: string): void {
  const prefix = `${basename(path)}.regtar-`;
  for (const name of existsSync(dirname(path)) ? readdirSync(dirname(path)) : []) {
    const owner = name.startsWith(prefix)
      ? /^([0-9]+)(?:-[0-9a-f]+)?$/.exec(name.slice(prefix.length))?.[1]
      : undefined;
    if (owner !== undefined && !isProcessAlive(Number(owner))) rmSync(join(dirname(path), name), { force: true });
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
