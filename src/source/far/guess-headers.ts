import { forEachParallel } from '../../io/parallel.ts';
import { isExtension } from '../../tar/extended.ts';
import { blockBytes, headerSize, headerTypeFlag, isHeaderValid, paddedSize, typeFlags } from '../../tar/header.ts';
import type { FarObject } from './far-object.ts';

/** A part that is shorter is scanned before others have found their beginning. */
const shortestPart = 64 * 1024 * 1024;
const mostParts = 32;
/** So long that one of a few meets a header, so short that those in large layers cost little. */
const probeBytes = 64 * 1024;
const probesPerPart = 12;

/** How an archive is divided. */
export interface GuessOptions {
  readonly connections: number;
  /** No part is shorter. @defaultValue 64 MiB */
  readonly partBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Guesses where members begin, one for each part of a tar, so that several scans can walk it side by side. A guess may
 * be wrong: a layer may hold a tar itself. So it counts only if the scan from the archive's beginning comes to the very
 * same place.
 * @returns offsets in rising order; fewer than parts where none was found
 */
export async function guessHeaders(
  object: FarObject,
  { connections, partBytes: shortest = shortestPart, signal }: GuessOptions,
): Promise<readonly number[]> {
  const parts = Math.min(Math.floor(object.size / shortest), mostParts);
  const partBytes = object.size / Math.max(parts, 1);
  const found: number[] = [];
  const wanted = Array.from({ length: Math.max(parts - 1, 0) }, (_, index) => index + 1);
  await forEachParallel(wanted, connections, async (part) => {
    for (let probe = 0; probe < probesPerPart; probe++) {
      // Spread over the first half of the part: what is behind a large layer may be found from elsewhere.
      const at = Math.floor((partBytes * (part + probe / (2 * probesPerPart))) / blockBytes) * blockBytes;
      const bytes = await object.fetch(at, Math.min(probeBytes, object.size - at), signal);
      const next = memberBehindFirst(bytes);
      if (next === undefined || at + next >= object.size) continue;
      found.push(at + next);
      return;
    }
  });
  return [...new Set(found)].sort((left, right) => left - right);
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
