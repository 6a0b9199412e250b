import { setFlagsFromString } from 'node:v8';

let smallest = Infinity;

/**
 * V8 lets the heap grow to four times of what lives before it collects; copying makes much garbage and keeps little.
 * Several parts of a command know how little they need: the smallest counts, in any order.
 * @param percent by how much it may grow instead
 */
export function limitHeapGrowth(percent: number): void {
  if (percent >= smallest) return;
  smallest = percent;
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}

const largeHeapBytes = 96 * 2 ** 20;

/**
 * To be called when the names of a backup are read. Where they alone fill a large heap, most of what follows is
 * garbage, and V8 would let it grow to several times of what lives.
 */
export function limitLargeHeap(): void {
  if (process.memoryUsage().heapUsed > largeHeapBytes) limitHeapGrowth(15);
}

/**
 * V8 gives new objects more and more room, up to 48 MiB, so that it need not collect often. Who waits for a network has
 * the time. To be called before that room has grown.
 */
export function keepYoungHeapSmall(): void {
  const keepSmall = (): void => setFlagsFromString('--semi-space-growth-factor=1');
  keepSmall();
  // V8 takes the flag back for all threads when it makes the heap of a new one.
  process.on('worker', (worker) => worker.once('online', keepSmall));
}
