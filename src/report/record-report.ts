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

/** What is known of an image; times are milliseconds since 1970. */
interface Known {
  started?: number;
  ended?: number;
  result?: ImageResult;
}

/** Begins to record a plan that is about to be carried out. */
export function recordReport(plan: Plan, subject: ReportSubject): ReportRecorder {
  const started = new Date();
  const known = createPerImage();
  const blobs = createBlobCounts();
  return {
    follow(event) {
      if (event.type === 'image-start') known.of(event).started = Date.now();
      if (event.type === 'image') {
        const image = known.of(event.result);
        image.result = event.result;
        if (image.started !== undefined) image.ended = Date.now();
      }
      if (event.type === 'blob') blobs.add(event);
    },
    report({ state, error, report, sources }) {
      for (const result of report?.images ?? []) known.of(result).result = result;
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

/** By repository and then by tag or digest: joined to one text, names of a hundred thousand images are large. */
function createPerImage() {
  const repositories = new Map<string, Map<string, Known>>();
  return {
    of({ repository, tag, digest = '' }: ImageName): Known {
      let images = repositories.get(repository);
      if (images === undefined) repositories.set(repository, (images = new Map<string, Known>()));
      const key = tag ?? digest;
      let known = images.get(key);
      if (known === undefined) images.set(key, (known = {}));
      return known;
    },
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
    ...(started !== undefined && { started: isoTime(started) }),
    ...(ended !== undefined && { ended: isoTime(ended) }),
  };
}

function nameOf({ repository, tag, digest }: ImageName): Pick<ReportImage, 'repository' | 'tag' | 'digest'> {
  return { repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

function errorOf({ code, message, hint }: RegtarError): ReportError {
  return { code, message, ...(hint !== undefined && { hint }) };
}
