import { isExtension } from '../../tar/extended.ts';
import { blockBytes, headerSize, headerTypeFlag, isHeaderValid, paddedSize, typeFlags } from '../../tar/header.ts';
import type { FarObject } from './far-object.ts';

/** So long that one of a few meets a header, so short that those in large layers cost little. */
const probeBytes = 64 * 1024;
const probesAtMost = 12;

/** What looking for headers may cost. */
export interface ProbeBudget {
  /** In bytes. */
  left: number;
}

/**
 * Guesses where a member begins, so that one more scan can walk from there. A guess may be wrong: a layer may hold a
 * tar itself. So it counts only if the scan from the archive's beginning comes to the very same place.
 * @param from where it is looked for, up to `to`: probes are spread over it
 * @returns undefined where none was found, or the budget is spent
 */
export async function guessHeader(
  object: FarObject,
  { from, to }: { readonly from: number; readonly to: number },
  budget: ProbeBudget,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  for (let probe = 0; probe < probesAtMost && budget.left > 0; probe++) {
    const at = Math.floor((from + ((to - from) * probe) / probesAtMost) / blockBytes) * blockBytes;
    const size = Math.min(probeBytes, object.size - at);
    budget.left -= size;
    const next = memberBehindFirst(await object.fetch(at, size, signal));
    if (next !== undefined && at + next < object.size) return at + next;
  }
  return undefined;
}

/**
 * Where the member behind the first whole one begins: in front of the first there may be a long name that belongs to
 * it.
 */
function memberBehindFirst(bytes: Uint8Array): number | undefined {
  const memory = new ArrayBuffer(Math.ceil(bytes.length / 4) * 4);
  const buffer = Buffer.from(memory);
  const words = new Int32Array(memory);
  buffer.set(bytes);
  for (let at = 0; at + blockBytes <= bytes.length; at += blockBytes) {
    if (!isHeader(buffer, words, at)) continue;
    for (let header = at; header + blockBytes <= bytes.length && isHeader(buffer, words, header);) {
      const typeFlag = headerTypeFlag(buffer, header);
      const size = hasNoBody(typeFlag) ? 0 : (headerSize(buffer, header) ?? 0);
      const next = header + blockBytes + paddedSize(size);
      if (!isExtension(typeFlag)) return next;
      header = next;
    }
    return undefined;
  }
  return undefined;
}

/** With the magic of ustar or GNU: a sum alone is met by chance in gigabytes of layers. */
function isHeader(buffer: Buffer, words: Int32Array, at: number): boolean {
  return buffer.toString('latin1', at + 257, at + 262) === 'ustar' && isHeaderValid(buffer, words, at);
}

function hasNoBody(typeFlag: number): boolean {
  return typeFlag >= typeFlags.hardlink && typeFlag <= typeFlags.fifo;
}
