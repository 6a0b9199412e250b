import { refuseHeavyJson } from './heap-guard.ts';

/**
 * Parses JSON that may be anything, for those who check its shape next.
 * @param text as it is, or as UTF-8
 * @param describe its file, for the message. @defaultValue `a JSON document`
 * @returns undefined where it is not JSON
 * @throws RegtarError MEMORY_FULL where it would not fit into the heap
 */
export function tryJson(text: string | Uint8Array, describe = 'a JSON document'): unknown {
  refuseHeavyJson(text, describe);
  try {
    return JSON.parse(
      typeof text === 'string' ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8'),
    ) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whether a value that came from JSON is an object, and neither null nor a list. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
