/** Bytes from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** More than this in one request is not needed: partial pulls of podman ask for 1,024 at most. */
const mostRanges = 1024;

const rangePattern = /^(?:(\d+)-(\d*)|-(\d+))$/;

/**
 * Reads a `Range` header.
 * @param size of the blob in bytes
 * @returns the ranges in the order asked for; `unsatisfiable` where none of them lies in the blob; undefined where the
 * header is to be ignored: another unit, wrong syntax, or more bytes or ranges than the blob is worth
 * @see RFC 9110, 14.1.2 and 14.2
 */
export function parseRanges(
  header: string | undefined,
  size: number,
): readonly ByteRange[] | 'unsatisfiable' | undefined {
  const [, list] = /^bytes=(.*)$/i.exec(header?.trim() ?? '') ?? [];
  if (list === undefined) return undefined;
  const ranges: ByteRange[] = [];
  const items = list.split(',').map((item) => item.trim());
  // Empty elements of a list are allowed and mean nothing.
  const texts = items.filter((item) => item !== '');
  if (texts.length === 0 || texts.length > mostRanges) return undefined;
  let asked = 0;
  for (const text of texts) {
    const match = rangePattern.exec(text);
    if (match === null) return undefined;
    const range = match[3] === undefined ? spanOf(match[1], match[2], size) : suffixOf(Number(match[3]), size);
    if (range === 'invalid') return undefined;
    if (range === undefined) continue;
    ranges.push(range);
    asked += range.end - range.start;
  }
  if (ranges.length === 0) return 'unsatisfiable';
  // Ranges that overlap would make a small request cost many times the blob.
  return ranges.length > 1 && asked > size ? undefined : ranges;
}

function spanOf(first: string | undefined, last: string | undefined, size: number): ByteRange | 'invalid' | undefined {
  const start = Number(first);
  const end = last === '' || last === undefined ? Infinity : Number(last) + 1;
  if (end <= start) return 'invalid';
  return start < size ? { start, end: Math.min(end, size) } : undefined;
}

function suffixOf(length: number, size: number): ByteRange | 'invalid' | undefined {
  if (length === 0) return undefined;
  // The end of nothing is satisfiable, and no Content-Range can say so.
  return size === 0 ? 'invalid' : { start: Math.max(0, size - length), end: size };
}
