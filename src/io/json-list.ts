import { refuseLongList } from './heap-guard.ts';
import { isJsonObject, tryJson } from './try-json.ts';

/** A JSON object with one long list in it, whose items are parsed while they are looked at. */
export interface JsonList {
  /** The object, with an empty list in that field. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly length: number;
  /** @returns a new value each time; undefined where what stands there is not JSON */
  item(index: number): unknown;
}

const quote = 0x22;
const backslash = 0x5c;
const [comma, colon] = [0x2c, 0x3a];
const [openList, closeList] = [0x5b, 0x5d];
const [openObject, closeObject] = [0x7b, 0x7d];
const blanks: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const scalarEnds: ReadonlySet<number | undefined> = new Set([...blanks, comma, closeList, closeObject, undefined]);

/**
 * Finds the items of a list without parsing them: a million images take a gigabyte as objects, and are more than the
 * longest text that V8 has.
 * @param bytes a document in UTF-8; they are kept, and must not change
 * @param field of the document's object, in which the list is
 * @param describe its file, for the message
 * @returns undefined where it is not JSON, or has no list there
 * @throws RegtarError MEMORY_FULL where what is beside the list, or the list, would not fit into the heap
 */
export function parseJsonList(bytes: Uint8Array, field: string, describe: string): JsonList | undefined {
  const found = findList(bytes, field, describe);
  if (found === undefined) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shell = tryJson(Buffer.concat([buffer.subarray(0, found.start), buffer.subarray(found.end)]), describe);
  if (!isJsonObject(shell)) return undefined;
  const { places } = found;
  return {
    fields: shell,
    length: places.length / 2,
    item: (index) => tryJson(buffer.subarray(places[2 * index], places[2 * index + 1]), describe),
  };
}

interface FoundList {
  /** Behind its `[`. */
  readonly start: number;
  /** Of its `]`. */
  readonly end: number;
  /** Where each item begins and ends. */
  readonly places: Float64Array;
}

/** What is not JSON on the way may be found or not: it is parsed later. */
function findList(bytes: Uint8Array, field: string, describe: string): FoundList | undefined {
  let found: FoundList | undefined;
  let at = skipBlanks(bytes, 0);
  if (bytes[at] !== openObject) return undefined;
  do {
    const key = skipBlanks(bytes, at + 1);
    if (bytes[key] !== quote) return found;
    const keyEnd = skipString(bytes, key);
    const mark = skipBlanks(bytes, keyEnd);
    if (bytes[mark] !== colon) return undefined;
    const value = skipBlanks(bytes, mark + 1);
    // As everywhere in JSON, the last of two with one name counts.
    const isField = tryJson(bytes.subarray(key, keyEnd)) === field;
    const isList = isField && bytes[value] === openList;
    const list = isList ? findItems(bytes, value, describe) : undefined;
    if (isList && list === undefined) return undefined;
    if (isField) found = list;
    at = skipBlanks(bytes, list === undefined ? skipValue(bytes, value) : list.end + 1);
  } while (bytes[at] === comma);
  return found;
}

function findItems(bytes: Uint8Array, open: number, describe: string): FoundList | undefined {
  let places = new Float64Array(64);
  let used = 0;
  let at = skipBlanks(bytes, open + 1);
  if (bytes[at] === closeList) return { start: open + 1, end: at, places: places.subarray(0, 0) };
  for (;;) {
    const start = skipBlanks(bytes, at);
    const end = skipValue(bytes, start);
    if (end === start) return undefined;
    if (used === places.length) {
      refuseLongList(used, describe);
      const longer = new Float64Array(places.length * 2);
      longer.set(places);
      places = longer;
    }
    places[used++] = start;
    places[used++] = end;
    at = skipBlanks(bytes, end);
    if (bytes[at] === closeList) return { start: open + 1, end: at, places: places.subarray(0, used) };
    if (bytes[at] !== comma) return undefined;
    at++;
  }
}

function skipBlanks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (blanks.has(bytes[at])) at++;
  return at;
}

/** @returns the place behind the value, or the end of everything */
function skipValue(bytes: Uint8Array, from: number): number {
  if (bytes[from] === quote) return skipString(bytes, from);
  let at = from;
  if (bytes[from] !== openObject && bytes[from] !== openList) {
    while (!scalarEnds.has(bytes[at])) at++;
    return at;
  }
  for (let depth = 0; at < bytes.length;) {
    const byte = bytes[at];
    if (byte === quote) {
      at = skipString(bytes, at);
      continue;
    }
    at++;
    if (byte === openObject || byte === openList) depth++;
    else if ((byte === closeObject || byte === closeList) && --depth === 0) return at;
  }
  return at;
}

function skipString(bytes: Uint8Array, from: number): number {
  for (let at = from + 1; ; at++) {
    const end = bytes.indexOf(quote, at);
    if (end < 0) return bytes.length;
    let escapes = end;
    while (bytes[escapes - 1] === backslash && escapes > from + 1) escapes--;
    if ((end - escapes) % 2 === 0) return end + 1;
    at = end;
  }
}
