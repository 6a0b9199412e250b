import { RegtarError } from '../errors.ts';
import { imageKey } from '../oci/reference.ts';
import { countImages, type Report, type ReportBlobs, type ReportImage } from './report.ts';

/**
 * Joins the reports of shards, or of runs that finished one after the other, into one. Of an image that several have,
 * the one counts that ended last. The target's totals of blobs are sums: what each run sent.
 * @throws RegtarError REPORT_INVALID when they are not of one delivery: another command, target, source, or another
 * number of shards
 */
export function mergeReports(reports: readonly Report[]): Report {
  const [first, ...others] = [...reports].sort((left, right) => compare(left.started, right.started));
  if (first === undefined)
    throw new RegtarError('USAGE', 'no report is given', {
      hint: 'name the reports: `regtar report merge shard-*.json`',
    });
  for (const other of others) refuseForeign(first, other);
  const all = [first, ...others];
  const images = new Map<string, ReportImage>();
  // In the order in which they ended, so that the later word counts; an image that a run did not reach says nothing
  // new.
  for (const report of [...all].sort((left, right) => compare(left.ended ?? '', right.ended ?? ''))) {
    for (const image of report.images)
      if (image.status !== 'unfinished' || !images.has(imageKey(image))) images.set(imageKey(image), image);
  }
  const ordered = [...images.values()].sort((left, right) => compare(imageKey(left), imageKey(right)));
  const shards = shardsOf(all);
  const isWhole =
    (shards?.missing.length ?? 0) === 0 &&
    all.every(({ state }) => state === 'finished' || !ordered.some(({ status }) => status === 'unfinished'));
  const unended = all.find(({ state }) => state !== 'finished');
  const ended = all
    .map((report) => report.ended)
    .filter((time) => time !== undefined)
    .sort(compare)
    .at(-1);
  return {
    kind: first.kind,
    version: first.version,
    command: first.command,
    started: first.started,
    versions: first.versions,
    target: first.target,
    ...(first.delta && { delta: first.delta }),
    state: isWhole ? 'finished' : (unended?.state ?? 'running'),
    ...(!isWhole && unended?.error && { error: unended.error }),
    ...(ended !== undefined && { ended, seconds: (Date.parse(ended) - Date.parse(first.started)) / 1000 }),
    sources: first.sources.map(
      (source, index) => all.map(({ sources }) => sources[index]).find((each) => each?.sha256 !== undefined) ?? source,
    ),
    ...(shards && { shards }),
    totals: {
      images: countImages(ordered),
      blobs: all
        .map(({ totals }) => totals.blobs)
        .reduce((sum, blobs) => ({
          copied: sum.copied + blobs.copied,
          present: sum.present + blobs.present,
          mounted: sum.mounted + blobs.mounted,
          bytes: sum.bytes + blobs.bytes,
          spared: sum.spared + blobs.spared,
          ...placedOf(sum, blobs),
          ...serverCopies(sum, blobs),
        })),
    },
    images: ordered,
    ...unnamedOf(all, ordered),
  };
}

/** What one run placed in vain, a later one may have named: where every image has arrived, nothing is left. */
function unnamedOf(reports: readonly Report[], images: readonly ReportImage[]): Pick<Report, 'unnamedBlobs'> {
  if (!images.some(({ status }) => status === 'failed' || status === 'unfinished')) return {};
  const digests = new Set(reports.flatMap(({ unnamedBlobs = [] }) => unnamedBlobs));
  return digests.size === 0 ? {} : { unnamedBlobs: [...digests].sort(compare) };
}

function placedOf(...blobs: readonly ReportBlobs[]): Pick<ReportBlobs, 'placed'> {
  const placed = blobs.reduce((sum, each) => sum + (each.placed ?? 0), 0);
  return placed === 0 ? {} : { placed };
}

function serverCopies(...blobs: readonly ReportBlobs[]): Partial<ReportBlobs> {
  const serverCopied = blobs.reduce((sum, each) => sum + (each.serverCopied ?? 0), 0);
  if (serverCopied === 0) return {};
  return { serverCopied, serverCopiedBytes: blobs.reduce((sum, each) => sum + (each.serverCopiedBytes ?? 0), 0) };
}

function refuseForeign(first: Report, other: Report): void {
  const places = [first, other].map(
    ({ command, target }) => `${command} to ${target.name}${target.path === undefined ? '' : `/${target.path}`}`,
  );
  // Shards of an export have a folder each.
  if (
    first.command !== other.command ||
    first.target.kind !== other.target.kind ||
    (first.command === 'push' && places[0] !== places[1])
  )
    throw foreign(`one is of a ${places[0]}, another of a ${places[1]}`);
  const counts = [first, other].map(({ shard, shards }) => shard?.count ?? shards?.count);
  if (counts[0] !== counts[1]) throw foreign(`one is of ${counts[0] ?? 1} shards, another of ${counts[1] ?? 1}`);
  if (first.sources.length !== other.sources.length) throw foreign('their sources differ in number');
  first.sources.forEach((source, index) => {
    const twin = other.sources[index];
    const differs = (name: 'bytes' | 'sha256' | 'version'): boolean =>
      source[name] !== undefined && twin?.[name] !== undefined && source[name] !== twin[name];
    if (differs('bytes') || differs('sha256') || differs('version'))
      throw foreign(`the source ${source.name} is a different one in each`);
  });
}

function shardsOf(reports: readonly Report[]): Report['shards'] {
  const count = reports.map(({ shard, shards }) => shard?.count ?? shards?.count).find((each) => each !== undefined);
  if (count === undefined) return undefined;
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const has = ({ shard, shards }: Report, number: number): boolean =>
    shard?.index === number || (shards !== undefined && !shards.missing.includes(number));
  return { count, missing: numbers.filter((number) => !reports.some((report) => has(report, number))) };
}

function foreign(reason: string): RegtarError {
  return new RegtarError('REPORT_INVALID', `these reports do not belong together: ${reason}`, {
    hint: 'merge the reports of one push or export only',
  });
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
