/** `number` counts from 1; `text` is without its line end. */
export interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

/**
 * Splits UTF-8 into lines as it comes, so that a dump of gigabytes is never in memory. A mark of byte order is dropped.
 */
export async function* readLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<NumberedLine> {
  const decoder = new TextDecoder('utf-8');
  const pieces: string[] = [];
  let number = 0;
  const line = (end: string): NumberedLine => {
    pieces.push(end);
    const text = pieces.join('');
    pieces.length = 0;
    return { number: ++number, text: text.endsWith('\r') ? text.slice(0, -1) : text };
  };
  for await (const chunk of bytes) {
    const text = decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      yield line(text.slice(start, end));
      start = end + 1;
    }
    if (start < text.length) pieces.push(text.slice(start));
  }
  const rest = decoder.decode();
  if (pieces.length > 0 || rest !== '') yield line(rest);
}
