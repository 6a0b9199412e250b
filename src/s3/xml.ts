/** One object of a listing. */
export interface ListedObject {
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly modified: number;
  /** Without quotes; empty where the server says none. */
  readonly etag: string;
}

/** One page of a listing. */
export interface ListedPage {
  readonly objects: readonly ListedObject[];
  /** What keys begin with up to the delimiter, where one was asked for. */
  readonly prefixes: readonly string[];
  /** Where the next page begins; undefined on the last one. */
  readonly next: string | undefined;
}

/**
 * Reads a page where it lies: strings are made of what is kept, and none of the page itself, of which a listing has
 * hundreds.
 * @returns undefined when the bytes are not an answer of ListObjectsV2
 * @see Amazon S3 API, "ListObjectsV2"
 */
export function parseListing(body: Uint8Array): ListedPage | undefined {
  const page = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!/<ListBucketResult[\s>]/.test(page.toString('latin1', 0, headBytes))) return undefined;
  const objects: ListedObject[] = [];
  const prefixes: string[] = [];
  /** What is neither an object nor a prefix. */
  const rest: string[] = [];
  let done = 0;
  for (let at = page.indexOf('<Co'); at >= 0; at = page.indexOf('<Co', done)) {
    const element = elements.find(({ start }) => page.compare(start, 0, start.length, at, at + start.length) === 0);
    const end = element === undefined ? -1 : page.indexOf(element.end, at);
    rest.push(page.toString('utf8', done, end < 0 || element === undefined ? at + 1 : at));
    done = at + 1;
    if (element === undefined || end < 0) continue;
    done = end + element.end.length;
    const text = page.toString('utf8', at + element.start.length, end);
    if (element.isObject) {
      const object = objectOf(text);
      if (object === undefined) return undefined;
      objects.push(object);
    } else {
      const prefix = valueOf(text, 'Prefix');
      if (prefix !== undefined) prefixes.push(prefix);
    }
  }
  const text = `${rest.join('')}${page.toString('utf8', done)}`;
  const keyOf = valueOf(text, 'EncodingType') === 'url' ? decodeKey : (key: string): string => key;
  return {
    objects: objects.map((object) => ({ ...object, key: keyOf(object.key) })),
    prefixes: prefixes.map(keyOf),
    next: valueOf(text, 'IsTruncated') === 'true' ? valueOf(text, 'NextContinuationToken') : undefined,
  };
}

/** In which the name of the document stands. */
const headBytes = 512;
const elements = (['Contents', 'CommonPrefixes'] as const).map((name) => ({
  isObject: name === 'Contents',
  start: Buffer.from(`<${name}>`),
  end: Buffer.from(`</${name}>`),
}));

function objectOf(text: string): ListedObject | undefined {
  const key = valueOf(text, 'Key');
  const size = Number(valueOf(text, 'Size'));
  if (key === undefined || !Number.isSafeInteger(size) || size < 0) return undefined;
  const modified = Date.parse(valueOf(text, 'LastModified') ?? '');
  return {
    key: ownText(key),
    size,
    modified: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000),
    etag: ownText((valueOf(text, 'ETag') ?? '').replace(/^"|"$/g, '')),
  };
}

/** The text of the first element of this name. */
export function valueOf(text: string, name: string): string | undefined {
  const start = text.indexOf(`<${name}>`);
  if (start < 0) return undefined;
  const from = start + name.length + 2;
  const end = text.indexOf(`</${name}>`, from);
  return end < 0 ? undefined : unescapeXml(text.slice(from, end));
}

/** Text for an element's content. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function unescapeXml(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(
    /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));/gi,
    (whole, hex, decimal, name) => {
      if (typeof name === 'string')
        return { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[name.toLowerCase()] ?? whole;
      const code = typeof hex === 'string' ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

/** A string of its own: a part of an element would keep all of it in memory. */
function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
