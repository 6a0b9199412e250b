import { closeSync, openSync, readSync } from 'node:fs';
import { RegtarError, systemErrorCode, systemReason } from '../errors.ts';
import { openRandomAccess, type RandomAccess } from '../io/random-access.ts';
import { readRange } from '../io/read-range.ts';
import type { Ring } from '../io/ring.ts';
import type { Location } from './backup.ts';

/**
 * Streams a file that holds one content.
 * @throws RegtarError SOURCE_CHANGED, SOURCE_UNREADABLE while iterating
 */
export async function* readFileBody(
  location: Location,
  from: number,
  ring: Ring | undefined,
): AsyncGenerator<Uint8Array> {
  const access = openFile(location);
  let sent = from;
  try {
    for await (const chunk of readRange(access, from, location.size - from, ring)) {
      sent += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    throw readError(location, cause);
  } finally {
    access.close();
  }
  if (sent < location.size) throw changed(location);
}

/** What was there when names were read, and is gone now, is not a mistyped name. */
function openFile(location: Location): RandomAccess {
  try {
    return openRandomAccess(fileOf(location));
  } catch (error) {
    throw error instanceof RegtarError && error.code === 'SOURCE_NOT_FOUND' ? gone(location, error) : error;
  }
}

/** Reads a file that holds one content. @throws RegtarError SOURCE_CHANGED, SOURCE_UNREADABLE */
export function readWholeFile(location: Location): Uint8Array {
  try {
    const descriptor = openSync(fileOf(location), 'r');
    try {
      // Its size is known: one more byte tells whether it has grown.
      const bytes = Buffer.allocUnsafe(location.size + 1);
      if (readAtLeast(descriptor, bytes, location.size) !== location.size) throw changed(location);
      return bytes.subarray(0, location.size);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw readError(location, cause);
  }
}

/** @returns how many bytes came: fewer at the end of the file alone */
function readAtLeast(descriptor: number, bytes: Uint8Array, least: number): number {
  let done = 0;
  for (let count = 1; count > 0 && done < least; done += count)
    count = readSync(descriptor, bytes, done, bytes.length - done, done);
  return done;
}

function readError(location: Location, cause: unknown): unknown {
  const code = systemErrorCode(cause);
  if (code === undefined) return cause;
  if (code === 'ENOENT') return gone(location, cause);
  return new RegtarError('SOURCE_UNREADABLE', `${fileOf(location)} cannot be read: ${systemReason(cause)}`, {
    side: 'source',
    where: { path: fileOf(location) },
    cause,
  });
}

const stopWriter = 'stop what writes to it or cleans it up, then run the command again';

function gone(location: Location, cause: unknown): RegtarError {
  return new RegtarError('SOURCE_CHANGED', `${fileOf(location)} was there a moment ago and is gone`, {
    where: { path: fileOf(location) },
    hint: stopWriter,
    cause,
  });
}

function changed(location: Location): RegtarError {
  return new RegtarError('SOURCE_CHANGED', `${fileOf(location)} changed while it was read`, {
    where: { path: fileOf(location) },
    hint: stopWriter,
  });
}

function fileOf(location: Location): string {
  if (location.file === undefined) throw new RegtarError('INTERNAL', 'a place of another backup was asked for');
  return location.file;
}
