import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import { formatNames, formats } from '../formats/formats.ts';
import { refuseHeavyJson } from '../io/heap-guard.ts';
import { reportFileKind, type Report } from './report.ts';

const text = v.string();
const count = v.pipe(v.number(), v.minValue(0));
const optional = v.exactOptional;
const error = v.object({ code: text, message: text, hint: optional(text) });
const image = v.object({
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

/**
 * Reads a report out of its file: JSON, or the page, which carries the same.
 * @param path for the message
 * @throws RegtarError REPORT_INVALID, MEMORY_FULL
 */
export function readReport(content: string, path: string): Report {
  const document = content.trimStart().startsWith('<') ? (embedded.exec(content)?.[1] ?? '') : content;
  refuseHeavyJson(document, path);
  let json: unknown;
  try {
    json = JSON.parse(document);
  } catch (cause) {
    throw invalid(path, 'it is neither JSON nor a page with JSON in it', cause);
  }
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw invalid(path, `${v.getDotPath(issue) ?? 'its top level'}: ${issue.message}`);
}

function invalid(path: string, reason: string, cause?: unknown): RegtarError {
  return new RegtarError('REPORT_INVALID', `${path} is not a report of regtar: ${reason}`, {
    where: { path },
    cause,
    hint: 'give a file that `regtar export --report` or `regtar push --report` wrote',
  });
}
