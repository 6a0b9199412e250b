import { othersGoOn } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContentStore } from './contracts.ts';
import { tryJson } from '../io/try-json.ts';

/**
 * A small blob as a JSON object.
 * @param most bytes; a larger one is not looked at
 * @returns undefined where it is absent, unreadable, too large, or anything else
 */
export function readJsonBlob(
  store: ContentStore,
  digest: Digest,
  most: number,
): Readonly<Record<string, unknown>> | undefined {
  const size = store.stat(digest)?.size;
  if (size === undefined || size > most) return undefined;
  try {
    const json = tryJson(store.readSmall(digest));
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? (json as Readonly<Record<string, unknown>>)
      : undefined;
  } catch (error) {
    if (!othersGoOn(error)) throw error;
    return undefined;
  }
}
