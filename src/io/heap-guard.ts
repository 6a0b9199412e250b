import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RegtarError } from '../errors.ts';

/** What works with the names afterwards (sorting, plans, lists) takes as much as they do. */
const fullShare = 0.5;
/** A collection of everything that is held takes as long as reading a good part of it. */
const growthBetweenCollections = 0.1;
const checkMilliseconds = 100;
/** Of the limit that V8 tells, for objects that have just been made. */
const youngBytes = 48 * 2 ** 20;

/**
 * Makes what is to be called now and then while names are collected: it throws where they no longer fit into the heap,
 * which would otherwise end the process without a word.
 * @param describe what is being read, for the message
 * @returns a function that throws RegtarError SOURCE_TOO_LARGE
 */
export function createHeapGuard(describe: string): () => void {
  const { heap_size_limit: limit } = getHeapStatistics();
  const room = Math.max(limit - youngBytes, limit / 2);
  let next = 0;
  let full = room * fullShare;
  return () => {
    const now = performance.now();
    if (now < next) return;
    next = now + checkMilliseconds;
    if (usedBytes() < full) return;
    // What looks full may be garbage that has not been collected yet.
    collectGarbage();
    const used = usedBytes();
    if (used > room * fullShare) throw tooLarge(describe, limit);
    full = Math.max(full, used + room * growthBetweenCollections);
  };
}

function usedBytes(): number {
  return getHeapStatistics().used_heap_size;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

function tooLarge(describe: string, limit: number): RegtarError {
  const megabytes = Math.round(limit / 2 ** 20);
  return new RegtarError(
    'SOURCE_TOO_LARGE',
    `${describe} holds more names than fit into the ${megabytes} MiB that Node gives to this program`,
    {
      where: { path: describe },
      hint:
        `give it more: NODE_OPTIONS=--max-old-space-size=${Math.ceil((megabytes * 4) / 1024) * 1024}; if ` +
        'no real backup has millions of tags, this one was made to do harm',
    },
  );
}
