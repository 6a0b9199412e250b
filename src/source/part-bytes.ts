import { statSync } from 'node:fs';
import { RegtarError } from '../errors.ts';
import { openRandomAccess, readFullySync, type RandomAccess } from '../io/random-access.ts';
import { scanTar } from '../tar/scan.ts';
import { isZeroBlock } from '../tar/header.ts';
import { decompress } from './decompress.ts';
import { bytesAccess } from './bytes-access.ts';
import { recogniseForm } from './source-form.ts';

/** What the first bytes of a file say of its place among parts. */
export type PartBeginning =
  /** A tar begins here, with this member. */
  | { readonly kind: 'tar'; readonly path: string }
  /** A compressed tar begins here. */
  | { readonly kind: 'packed' }
  /** The end of a tar, or of what lies in it. */
  | { readonly kind: 'zeros' }
  /** Text, or another kind of file. */
  | { readonly kind: 'foreign' }
  /** Anything: the middle of an archive looks like this. */
  | { readonly kind: 'data' };

/** Holds the first member with all that goes before it. */
const headBytes = 256 * 1024;
const endMarkBytes = 1024;

/** Looks at a file that may be a part. What cannot be read counts as data: opening it says why. */
export async function beginningOf(path: string): Promise<PartBeginning> {
  return withFile(path, { kind: 'data' }, async (access) => {
    const head = Buffer.alloc(Math.min(headBytes, access.size));
    return recogniseBeginning(head.subarray(0, readFullySync(access, head, 0, head.length, 0)), path);
  });
}

/** Whether a file ends as a tar does: with two blocks of zeros. */
export async function endsInZeros(path: string): Promise<boolean> {
  return withFile(path, false, async (access) => {
    const tail = Buffer.alloc(endMarkBytes, 1);
    if (access.size >= endMarkBytes) readFullySync(access, tail, 0, endMarkBytes, access.size - endMarkBytes);
    return Promise.resolve(tail.every((byte) => byte === 0));
  });
}

/** Whether a path is a plain file: pipes and devices are not parts, and reading one could wait for ever. */
export function isPlainFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function recogniseBeginning(head: Buffer, path: string): Promise<PartBeginning> {
  if (head.length === 0) return { kind: 'data' };
  try {
    const form = recogniseForm(head, path);
    if (form === 'unknown') return { kind: 'data' };
    if (form !== 'tar') return (await unpacksToTar(head, form)) ? { kind: 'packed' } : { kind: 'data' };
    const first = isZeroStart(head) ? undefined : await firstMember(head);
    return first === undefined ? { kind: 'zeros' } : { kind: 'tar', path: first };
  } catch (error) {
    if (error instanceof RegtarError) return { kind: 'foreign' };
    throw error;
  }
}

function isZeroStart(head: Buffer): boolean {
  const block = new Int32Array(128);
  Buffer.from(block.buffer).set(head.subarray(0, block.byteLength));
  return isZeroBlock(block, 0);
}

/** @returns the path of the first member; a long one that is not all here counts as a name of its own */
async function firstMember(head: Buffer): Promise<string> {
  let first: string | undefined;
  await scanTar(bytesAccess(head), (member) => void (first ??= member.path));
  return first ?? head.toString('latin1', 0, 100);
}

/** `split --filter=gzip` makes parts that each begin as gzip does, in the middle of a tar. */
async function unpacksToTar(head: Buffer, form: 'gzip' | 'zstd'): Promise<boolean> {
  const chunks = (async function* () {
    yield await Promise.resolve(head);
  })();
  const pieces: Buffer[] = [];
  try {
    for await (const piece of decompress(chunks, form)) {
      pieces.push(Buffer.from(piece));
      if (pieces.reduce((sum, { length }) => sum + length, 0) >= 1024) break;
    }
  } catch {
    // The head is cut, so the decoder complains at its end.
  }
  const unpacked = Buffer.concat(pieces);
  // What cannot be judged is taken for a beginning: a compressed file that follows another is one of its own.
  if (unpacked.length < 512) return true;
  try {
    return recogniseForm(unpacked, '') === 'tar' && !isZeroStart(unpacked);
  } catch (error) {
    if (error instanceof RegtarError) return false;
    throw error;
  }
}

async function withFile<Result>(
  path: string,
  otherwise: Result,
  use: (access: RandomAccess) => Promise<Result>,
): Promise<Result> {
  if (!isPlainFile(path)) return otherwise;
  let access: RandomAccess | undefined;
  try {
    access = openRandomAccess(path);
    return await use(access);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return otherwise;
    throw error;
  } finally {
    access?.close();
  }
}
