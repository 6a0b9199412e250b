import { imagePlatforms } from '../content/image-graph.ts';
import { createBlobCounts } from '../copy/count-outcomes.ts';
import type { CopyEvent, CopyReport, ImageResult } from '../copy/events.ts';
import type { RegtarError } from '../errors.ts';
import { formatPlatform } from '../oci/platform.ts';
import { imageKey, type ImageName } from '../oci/reference.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';
import {
  countImages,
  reportFileKind,
  type Report,
  type ReportError,
  type ReportImage,
  type ReportSource,
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
  }): Report;
}

interface Times {
  started?: string;
  ended?: string;
}

/** Begins to record a plan that is about to be carried out. */
export function recordReport(plan: Plan, subject: ReportSubject): ReportRecorder {
  const started = new Date();
  const times = new Map<string, Times>();
  const results = new Map<string, ImageResult>();
  const blobs = createBlobCounts();
  return {
    follow(event) {
      if (event.type === 'image-start') times.set(imageKey(event), { started: new Date().toISOString() });
      if (event.type === 'image') {
        results.set(imageKey(event.result), event.result);
        const known = times.get(imageKey(event.result));
        if (known !== undefined) known.ended = new Date().toISOString();
      }
      if (event.type === 'blob') blobs.add(event);
    },
    report({ state, error, report, sources }) {
      for (const result of report?.images ?? []) results.set(imageKey(result), result);
      const images = [
        ...plan.images.map((image) =>
          imageOf(image, results.get(imageKey(image.source)), times.get(imageKey(image.source))),
        ),
        ...plan.refused.map(({ source, status, error: reason }) => ({
          ...nameOf(source),
          status,
          error: errorOf(reason),
        })),
      ];
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
        totals: { images: countImages(images), blobs: report?.blobs ?? blobs.totals() },
        images,
        ...(report?.unnamed !== undefined && { unnamedBlobs: report.unnamed }),
      };
    },
  };
}

function imageOf(
  { source, target, node }: PlannedImage,
  result: ImageResult | undefined,
  { started, ended }: Times = {},
): ReportImage {
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
    status: result?.status ?? 'unfinished',
    ...(result?.error !== undefined && { error: errorOf(result.error) }),
    ...(started !== undefined && { started }),
    ...(ended !== undefined && { ended }),
  };
}

function nameOf({ repository, tag, digest }: ImageName): Pick<ReportImage, 'repository' | 'tag' | 'digest'> {
  return { repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

function errorOf({ code, message, hint }: RegtarError): ReportError {
  return { code, message, ...(hint !== undefined && { hint }) };
}
