/** The bytes of a stream that have come and are not used yet. */
export interface StreamBuffer {
  /** Offset of the first byte held. */
  readonly position: number;
  /** How many bytes are held. */
  readonly held: number;
  /** Waits until `count` bytes are held. @returns false when the stream ends before */
  need(count: number): Promise<boolean>;
  /** The first `count` bytes held; valid until the next call that waits or drops. */
  peek(count: number): Uint8Array;
  drop(count: number): void;
  /** Passes over bytes. @returns false when the stream ends before */
  skip(count: number): Promise<boolean>;
  /** Hands bytes on as they come, without holding them. @returns false when the stream ends before */
  pass(count: number, take: (chunk: Uint8Array) => Promise<void> | void): Promise<boolean>;
}

/** Reads chunks only as far as they are asked for. */
export function createStreamBuffer(
  chunks: AsyncIterable<Uint8Array>,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((offset: number) => void) | undefined;
  } = {},
): StreamBuffer {
  const source = chunks[Symbol.asyncIterator]();
  let buffer: Uint8Array = new Uint8Array(0);
  let position = 0;

  const more = async (): Promise<Uint8Array | undefined> => {
    options.signal?.throwIfAborted();
    options.onProgress?.(position + buffer.length);
    const result = await source.next();
    return result.done === true ? undefined : result.value;
  };
  const drop = (count: number): void => {
    buffer = buffer.subarray(count);
    position += count;
  };
  const pass = async (count: number, take: (chunk: Uint8Array) => Promise<void> | void): Promise<boolean> => {
    for (let left = count; left > 0;) {
      if (buffer.length === 0) {
        const chunk = await more();
        if (chunk === undefined) return false;
        buffer = chunk;
      }
      const piece = buffer.subarray(0, left);
      // Only a taker that waits costs a turn: most members lie in one chunk with many others.
      const waiting = take(piece);
      if (waiting !== undefined) await waiting;
      left -= piece.length;
      drop(piece.length);
    }
    return true;
  };

  return {
    get position() {
      return position;
    },
    get held() {
      return buffer.length;
    },
    async need(count) {
      if (buffer.length >= count) return true;
      const pieces = [buffer];
      let length = buffer.length;
      let isOver = false;
      while (length < count && !isOver) {
        const chunk = await more();
        isOver = chunk === undefined;
        if (chunk === undefined) break;
        pieces.push(chunk);
        length += chunk.length;
      }
      // A copy of its own: the stream may reuse its chunks.
      buffer = Buffer.concat(pieces, length);
      return !isOver;
    },
    peek: (count) => buffer.subarray(0, count),
    drop,
    skip: (count) => pass(count, () => undefined),
    pass,
  };
}
