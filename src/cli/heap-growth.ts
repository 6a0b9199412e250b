import { setFlagsFromString } from 'node:v8';

/**
 * V8 lets the heap grow to four times of what lives before it collects; copying makes much garbage and keeps little. The last call counts.
 * @param percent by how much it may grow instead
 */
export function limitHeapGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
