import { constants } from 'node:buffer';
import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import { formatNames, formats } from '../formats/formats.ts';
import { createHeapGuard } from '../io/heap-guard.ts';
import { parseJsonList, type JsonList } from '../io/json-list.ts';
import { tryJson } from '../io/try-json.ts';
import { reportFileKind, type Report, type ReportImage } from './report.ts';

const text = v.string();
const count = v.pipe(v.number(), v.minValue(0));
const optional = v.exactOptional;
const error = v.object({ code: text, message: text, hint: optional(text) });
const image: v.GenericSchema<unknown, ReportImage> = v.object({
  repository: text,
  tag: optional(text),
  digest: optional(text),
  mediaType: optional(text),
  platforms: optional(v.array(text)),
  bytes: optional(count),
  arrived: optional(v.object({ repository: text, tag: optional(text), digest: text })),
  target: optional(text),
  status: v.picklist(['copied', 'present', 'skipped', 'failed', 'unfinished']),
  error: optional(error),
  started: optional(text),
  ended: optional(text),
});
const schema: v.GenericSchema<unknown, Report> = v.object({
  kind: v.literal(reportFileKind),
  version: v.literal(1),
  command: v.picklist(['export', 'push']),
  state: v.picklist(['running', 'finished', 'interrupted', 'failed']),
  error: optional(error),
  started: text,
  ended: optional(text),
  seconds: optional(count),
  versions: v.object({ regtar: text, node: text, system: text }),
  sources: v.array(
    v.object({ name: text, format: text, bytes: optional(count), sha256: optional(text), version: optional(text) }),
  ),
  target: v.object({
    kind: v.picklist(['registry', ...formatNames.map((name) => formats[name].reportKind)]),
    name: text,
    path: optional(text),
    product: optional(text),
  }),
  approval: optional(
    v.object({
      report: text,
      tool: v.picklist(['ssh-keygen', 'minisign']),
      name: text,
      key: text,
      comment: optional(text),
    }),
  ),
  delta: optional(v.literal(true)),
  shard: optional(v.object({ index: count, count })),
  shards: optional(v.object({ count, missing: v.array(count) })),
  totals: v.object({
    images: v.object({ copied: count, present: count, skipped: count, failed: count, unfinished: count }),
    blobs: v.object({
      copied: count,
      present: count,
      mounted: count,
      bytes: count,
      spared: count,
      placed: optional(count),
      serverCopied: optional(count),
      serverCopiedBytes: optional(count),
    }),
  }),
  images: v.array(image),
  unnamedBlobs: optional(v.array(text)),
});

/** The element in which a page carries its report. */
const embedded = /<script type="application\/json" id="report-data">([^<]*)<\/script>/;
const longestText = constants.MAX_STRING_LENGTH;

/**
 * Reads a report out of its file: JSON, or the page, which carries the same. The images of JSON are read one after the
 * other: of a million of them it is longer than the longest text that V8 has.
 * @param content in UTF-8
 * @param path for the message
 * @param keep what is needed of an image: a hundred thousand take eighty megabytes whole. @defaultValue all of it
 * @throws RegtarError REPORT_INVALID, MEMORY_FULL
 */
export function readReport(content: string | Uint8Array, path: string, keep: KeepOfImage = (all) => all): Report {
  const bytes =
    typeof content === 'string'
      ? Buffer.from(content)
      : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const start = bytes.toString('utf8', 0, mostBlanks).trimStart();
  return readJson(start.startsWith('<') ? jsonOf(bytes, path) : bytes, path, keep);
}

/** Takes out of an image what is going to be looked at. */
export type KeepOfImage = (image: ReportImage) => ReportImage;

/** What editors and mailers may have put before a page: a byte order mark, blanks. In bytes. */
const mostBlanks = 4096;

function jsonOf(bytes: Buffer, path: string): Buffer {
  if (bytes.length > longestText)
    throw invalid(path, `it is a page of ${bytes.length} bytes, which regtar does not read`);
  return Buffer.from(embedded.exec(bytes.toString('utf8'))?.[1] ?? '');
}

function readJson(bytes: Uint8Array, path: string, keep: KeepOfImage): Report {
  const list = parseJsonList(bytes, 'images', path);
  const json = list?.fields ?? (bytes.length > longestText ? undefined : tryJson(bytes, path));
  if (json === undefined) throw invalid(path, 'it is neither JSON nor a page with JSON in it');
  const head = parsed(schema, json, path);
  return { ...head, images: list === undefined ? [] : readImages(list, path, keep) };
}

function readImages(list: JsonList, path: string, keep: KeepOfImage): readonly ReportImage[] {
  const refuseFullHeap = createHeapGuard(path, 'MEMORY_FULL');
  const images: ReportImage[] = [];
  for (let index = 0; index < list.length; index++) {
    refuseFullHeap();
    const item = list.item(index);
    if (item === undefined) throw invalid(path, `images.${index} is not JSON`);
    images.push(sharing(keep(parsed(image, item, path, `images.${index}`)), images.at(-1)));
  }
  return images;
}

/** The same with each text only once: most images arrive under the name and with the digest that they had. */
function sharing(image: ReportImage, last: ReportImage | undefined): ReportImage {
  const { arrived } = image;
  const repository = image.repository === last?.repository ? last.repository : image.repository;
  if (arrived === undefined) return { ...image, repository };
  const tag = arrived.tag === image.tag ? image.tag : arrived.tag;
  return {
    ...image,
    repository,
    arrived: {
      repository:
        [repository, last?.arrived?.repository].find((each) => each === arrived.repository) ?? arrived.repository,
      ...(tag !== undefined && { tag }),
      digest: arrived.digest === image.digest ? image.digest : arrived.digest,
    },
  };
}

function parsed<Result>(shape: v.GenericSchema<unknown, Result>, json: unknown, path: string, place?: string): Result {
  const result = v.safeParse(shape, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = [place, v.getDotPath(issue)].filter((each) => each !== undefined && each !== null).join('.');
  throw invalid(path, `${where === '' ? 'its top level' : where}: ${issue.message}`);
}

function invalid(path: string, reason: string): RegtarError {
  return new RegtarError('REPORT_INVALID', `${path} is not a report of regtar: ${reason}`, {
    where: { path },
    hint: 'give a file that `regtar export --report` or `regtar push --report` wrote',
  });
}
