/** Below, a piece costs more than it spares; in characters. */
const pieceLength = 64 * 1024;

/**
 * JSON as `JSON.stringify(value, undefined, 2)` writes it, in pieces: a list of a million images is longer than the
 * longest text that V8 has, and no part of it need be there twice.
 * @param value lists on its first two levels are written item by item; everything else is small
 */
export function* jsonPieces(value: unknown): Generator<string> {
  let piece = '';
  for (const part of partsOf(value, 2, '')) {
    piece += part;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** @param levels on which lists and objects are taken apart. @param indent of the line that the value stands on */
function* partsOf(value: unknown, levels: number, indent: string): Generator<string> {
  const isWhole = levels === 0 || typeof value !== 'object' || value === null || 'toJSON' in value;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const fields = isWhole ? [] : Array.isArray(value) ? value.entries() : Object.entries(value);
  let isFirst = true;
  for (const [key, item] of fields) {
    const isList = typeof key === 'number';
    if (!isList && !isWritten(item)) continue;
    yield `${isFirst ? open : ','}\n${indent}  ${isList ? '' : `${JSON.stringify(key)}: `}`;
    yield* partsOf(isList && !isWritten(item) ? null : item, levels - 1, `${indent}  `);
    isFirst = false;
  }
  // Texts in JSON hold no line breaks: each of them begins a line of its own.
  yield isFirst ? JSON.stringify(isWhole ? value : emptied(value), undefined, 2).replaceAll('\n', `\n${indent}`) : '';
  if (!isFirst) yield `\n${indent}${close}`;
}

function emptied(value: unknown): unknown {
  return Array.isArray(value) ? [] : {};
}

/** JSON leaves out what it has no words for. */
function isWritten(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';
}
