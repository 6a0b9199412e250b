import { imagePlatforms } from '../content/image-graph.ts';
import { createBlobCounts } from '../copy/count-outcomes.ts';
import type { CopyEvent, CopyReport, ImageResult } from '../copy/events.ts';
import type { RegtarError } from '../errors.ts';
import { repeatable } from '../io/repeatable.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { ImageName } from '../oci/reference.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';
import {
  countImages,
  reportFileKind,
  type Report,
  type ReportError,
  type ReportImage,
  type ReportSource,
  type ReportStatus,
  type UnlistedReport,
} from './report.ts';

/** What a report says beside its images. */
export type ReportSubject = Pick<Report, 'command' | 'versions' | 'target' | 'approval' | 'delta' | 'shard'>;

/** Records a copy, so that a report can be written at any moment of it. */
export interface ReportRecorder {
  follow(event: CopyEvent): void;
  /**
   * The report as it stands.
   * @param end with `report`: what became of everything, where that is known; it overrules what was seen on the way
   */
  report(end: {
    readonly state: Report['state'];
    readonly error?: RegtarError;
    readonly report?: CopyReport;
    readonly sources: readonly ReportSource[];
  }): UnlistedReport;
}

/** What is known of an image; times are milliseconds since 1970, 0 before it came to that. */
interface Known {
  readonly started: number;
  readonly ended: number;
  readonly result: ImageResult | undefined;
}

/** Begins to record a plan that is about to be carried out. */
export function recordReport(plan: Plan, subject: ReportSubject): ReportRecorder {
  const started = new Date();
  const known = createPerImage(plan.images.length + plan.refused.length);
  const blobs = createBlobCounts();
  return {
    follow(event) {
      if (event.type === 'image-start') known.begin(event);
      if (event.type === 'image') known.end(event.result);
      if (event.type === 'blob') blobs.add(event);
    },
    report({ state, error, report, sources }) {
      for (const result of report?.images ?? []) known.settle(result);
      const images = repeatable(function* () {
        for (const image of plan.images) yield imageOf(image, known.of(image.source));
        for (const { source, status, error: reason } of plan.refused)
          yield { ...nameOf(source), status, error: errorOf(reason) };
      });
      const statuses = repeatable(function* () {
        for (const { source } of plan.images) yield { status: statusOf(known.of(source)) };
        yield* plan.refused;
      });
      const ended = new Date();
      return {
        kind: reportFileKind,
        version: 1,
        ...subject,
        state,
        ...(error !== undefined && { error: errorOf(error) }),
        started: started.toISOString(),
        ...(state !== 'running' && {
          ended: ended.toISOString(),
          seconds: (ended.getTime() - started.getTime()) / 1000,
        }),
        sources,
        totals: { images: countImages(statuses), blobs: report?.blobs ?? blobs.totals() },
        images,
        ...(report?.unnamed !== undefined && { unnamedBlobs: report.unnamed }),
      };
    },
  };
}

/**
 * By repository and then by tag or digest: joined to one text, names of a hundred thousand images are large. What is
 * known stands in arrays: of a million images an object for each takes a hundred megabytes.
 * @param most how many names there are
 */
function createPerImage(most: number) {
  const repositories = new Map<string, Map<string, number>>();
  const started = new Float64Array(most);
  const ended = new Float64Array(most);
  const results = new Array<ImageResult | undefined>(most).fill(undefined);
  let count = 0;
  const placeOf = ({ repository, tag, digest = '' }: ImageName): number => {
    let images = repositories.get(repository);
    if (images === undefined) repositories.set(repository, (images = new Map<string, number>()));
    const key = tag ?? digest;
    let place = images.get(key);
    if (place === undefined) images.set(key, (place = count++));
    return place;
  };
  return {
    of(image: ImageName): Known {
      const place = placeOf(image);
      return { started: started[place] ?? 0, ended: ended[place] ?? 0, result: results[place] };
    },
    begin: (image: ImageName): void => void (started[placeOf(image)] = Date.now()),
    end(result: ImageResult): void {
      const place = placeOf(result);
      results[place] = result;
      if (started[place] !== 0) ended[place] = Date.now();
    },
    settle: (result: ImageResult): void => void (results[placeOf(result)] = result),
  };
}

function statusOf({ result }: Known): ReportStatus {
  return result?.status ?? 'unfinished';
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function imageOf({ source, target, node }: PlannedImage, known: Known): ReportImage {
  const { result, started, ended } = known;
  const platforms = imagePlatforms(node).map(formatPlatform);
  return {
    ...nameOf(source),
    mediaType: target.root.mediaType,
    ...(platforms.length > 0 && { platforms }),
    bytes: target.blobs.reduce((sum, { size }) => sum + size, target.root.size),
    arrived: {
      repository: target.repository,
      ...(target.tag !== undefined && { tag: target.tag }),
      digest: target.root.digest,
    },
    ...(result?.target !== undefined && { target: result.target }),
    status: statusOf(known),
    ...(result?.error !== undefined && { error: errorOf(result.error) }),
    ...(started > 0 && { started: isoTime(started) }),
    ...(ended > 0 && { ended: isoTime(ended) }),
  };
}

function nameOf({ repository, tag, digest }: ImageName): Pick<ReportImage, 'repository' | 'tag' | 'digest'> {
  return { repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

function errorOf({ code, message, hint }: RegtarError): ReportError {
  return { code, message, ...(hint !== undefined && { hint }) };
}
