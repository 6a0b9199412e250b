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

/** @returns undefined when the text is not an answer of ListObjectsV2 @see Amazon S3 API, "ListObjectsV2" */
export function parseListing(text: string): ListedPage | undefined {
  if (!/<ListBucketResult[\s>]/.test(text)) return undefined;
  const isEncoded = valueOf(text, 'EncodingType') === 'url';
  const keyOf = (raw: string): string => (isEncoded ? decodeKey(raw) : ownText(raw));
  const objects: ListedObject[] = [];
  for (const [, contents = ''] of text.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
    const key = valueOf(contents, 'Key');
    const size = Number(valueOf(contents, 'Size'));
    if (key === undefined || !Number.isSafeInteger(size) || size < 0) return undefined;
    const modified = Date.parse(valueOf(contents, 'LastModified') ?? '');
    objects.push({
      key: keyOf(key),
      size,
      modified: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000),
      etag: ownText((valueOf(contents, 'ETag') ?? '').replace(/^"|"$/g, '')),
    });
  }
  const prefixes = [...text.matchAll(/<CommonPrefixes>([\s\S]*?)<\/CommonPrefixes>/g)].flatMap(([, inner = '']) => {
    const prefix = valueOf(inner, 'Prefix');
    return prefix === undefined ? [] : [keyOf(prefix)];
  });
  const next = valueOf(text, 'IsTruncated') === 'true' ? valueOf(text, 'NextContinuationToken') : undefined;
  return { objects, prefixes, next };
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

/** A string of its own: a part of a page would keep the whole page in memory. */
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
