/**
 * Tells chunks that are all zeros, which need no room on the disk. It is given to threads as its own text, so it uses
 * nothing from outside itself.
 * @param largestChunk in bytes; larger ones are no holes
 * @returns whether a chunk may be left out of a file
 */
export function createHoleFinder(largestChunk: number): (chunk: Uint8Array) => boolean {
  /** Smaller holes save no block. */
  const smallestHole = 64 * 1024;
  const zeros = Buffer.alloc(largestChunk);
  return (chunk) => {
    if (chunk[0] !== 0 || chunk.length < smallestHole || chunk.length > largestChunk) return false;
    return zeros.subarray(0, chunk.length).equals(chunk);
  };
}
