import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RegtarError } from '../errors.ts';

/** What is being filled, and how the refusal is called. */
export type HeapUse = keyof typeof uses;

/**
 * `SOURCE_TOO_LARGE`, while names are collected: what works with them afterwards (sorting, plans, lists) takes as much
 * as they do. `MEMORY_FULL`, for everything after that.
 */
const uses = {
  SOURCE_TOO_LARGE: { says: 'holds more names than fit into', share: 0.5 },
  MEMORY_FULL: { says: 'takes more memory than', share: 0.75 },
} as const;

/** What reading one manifest of the largest size takes while it is read: it must still fit. */
const largestManifestHeapBytes = 96 * 2 ** 20;

/** A collection of everything that is held takes as long as reading a good part of it. */
const growthBetweenCollections = 0.1;
const checkMilliseconds = 10;
/** Of the limit that V8 tells, for objects that have just been made. */
const youngBytes = 48 * 2 ** 20;

/**
 * Makes what is to be called now and then while a part of the input is collected whose size somebody else chose: it
 * throws where that no longer fits into the heap, which would otherwise end the process without a word.
 * @param describe what is being read, for the message
 * @param use what it is filled with. @defaultValue SOURCE_TOO_LARGE
 * @returns a function that throws RegtarError SOURCE_TOO_LARGE or MEMORY_FULL
 */
export function createHeapGuard(describe: string, use: HeapUse = 'SOURCE_TOO_LARGE'): () => void {
  const { limit, room } = heapRoom();
  const most = mostOf(room, use);
  let next = 0;
  let full = most;
  return () => {
    const now = performance.now();
    if (now < next) return;
    next = now + checkMilliseconds;
    if (usedBytes() < full) return;
    // What looks full may be garbage that has not been collected yet.
    collectGarbage();
    const used = usedBytes();
    if (used > most) throw heapFull(describe, use, limit);
    full = Math.max(full, used + room * growthBetweenCollections);
  };
}

/** Below, the worst document fits into any heap that Node gives; in characters. */
const lightJson = 8 * 2 ** 20;
/**
 * What a JSON document may become, in bytes of the heap for each of these characters: an object or list of its own, a
 * place in one, a name. Measured with the worst that there is: `{},{},…`, and an object of names that are all new.
 */
const heapBytesPerCharacter: readonly (readonly [string, number])[] = [
  ['[{,', 36],
  ['"', 14],
];
const heapBytes = new Uint8Array(256);
for (const [characters, bytes] of heapBytesPerCharacter)
  for (const character of characters) heapBytes[character.charCodeAt(0)] = bytes;

/**
 * Refuses a JSON document that would not fit into the heap when it is parsed: nothing can stop `JSON.parse` on its way.
 * @param document not parsed yet
 * @param describe its file, for the message
 * @throws RegtarError MEMORY_FULL
 */
export function refuseHeavyJson(document: string | Uint8Array, describe: string): void {
  const { length } = document;
  if (length < lightJson) return;
  // The text, and its strings once more.
  let needed = 2 * length;
  if (typeof document === 'string')
    for (let index = 0; index < length; index++) needed += heapBytes[document.charCodeAt(index)] ?? 0;
  else for (let index = 0; index < length; index++) needed += heapBytes[document[index] as number] as number;
  const { limit, room } = heapRoom();
  if (usedBytes() + needed > mostOf(room, 'MEMORY_FULL')) throw heapFull(describe, 'MEMORY_FULL', limit);
}

/** A small object in a list, in bytes of the heap. */
const itemBytes = 128;

/**
 * Refuses a list whose items would not fit into the heap, be each as small as it can.
 * @param describe its file, for the message
 * @throws RegtarError MEMORY_FULL
 */
export function refuseLongList(length: number, describe: string): void {
  const { limit, room } = heapRoom();
  if (usedBytes() + length * itemBytes > mostOf(room, 'MEMORY_FULL')) throw heapFull(describe, 'MEMORY_FULL', limit);
}

function mostOf(room: number, use: HeapUse): number {
  return Math.max(room / 2, Math.min(room * uses[use].share, room - largestManifestHeapBytes));
}

function heapRoom(): { readonly limit: number; readonly room: number } {
  const { heap_size_limit: limit } = getHeapStatistics();
  return { limit, room: Math.max(limit - youngBytes, limit / 2) };
}

function usedBytes(): number {
  return getHeapStatistics().used_heap_size;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

function heapFull(describe: string, use: HeapUse, limit: number): RegtarError {
  const megabytes = Math.round(limit / 2 ** 20);
  return new RegtarError(use, `${describe} ${uses[use].says} the ${megabytes} MiB that Node gives to this program`, {
    where: { path: describe },
    hint:
      `give it more: NODE_OPTIONS=--max-old-space-size=${Math.ceil((megabytes * 4) / 1024) * 1024}; ` +
      'a backup that needs far more than others of its size may have been made to do harm',
  });
}
