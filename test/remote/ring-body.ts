/** A producer that reuses three buffers, as backups are read. */
export async function* ringBody(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  const ring = [Buffer.alloc(chunkBytes), Buffer.alloc(chunkBytes), Buffer.alloc(chunkBytes)];
  for (let offset = 0, turn = 0; offset < bytes.length; offset += chunkBytes, turn++) {
    const buffer = ring[turn % 3] ?? Buffer.alloc(chunkBytes);
    const length = Math.min(chunkBytes, bytes.length - offset);
    buffer.fill(0xee);
    buffer.set(bytes.subarray(offset, offset + length));
    await Promise.resolve();
    yield buffer.subarray(0, length);
  }
}
