import { repeatable } from '../io/repeatable.ts';
import type { FormatReportKind } from '../formats/formats.ts';
import { countStatuses } from '../copy/count-outcomes.ts';
import { imageStatuses, type ImageStatus } from '../copy/events.ts';
import type { Signer } from './signature/signer.ts';

/**
 * The report that travels with the images: what was taken from where, and what became of each image. Plain data that is
 * written as JSON;
 * fields may be added, never renamed. Sizes are bytes, times are UTC as `Date.toISOString` writes them.
 */
export interface Report {
  readonly kind: typeof reportFileKind;
  readonly version: 1;
  readonly command: 'export' | 'push';
  /**
   * `running`: it has not ended, or not in an orderly way, as after a power cut. `interrupted` and `failed` ended
   * early.
   */
  readonly state: 'running' | 'finished' | 'interrupted' | 'failed';
  /** Why it ended early. */
  readonly error?: ReportError;
  readonly started: string;
  readonly ended?: string;
  readonly seconds?: number;
  readonly versions: { readonly regtar: string; readonly node: string; readonly system: string };
  readonly sources: readonly ReportSource[];
  readonly target: ReportTarget;
  /** Who signed the report that allowed these images, where one was required. */
  readonly approval?: ReportApproval;
  /** Blobs that the base had stayed behind on purpose. */
  readonly delta?: true;
  /** Which part of the whole this is, where it was split. */
  readonly shard?: { readonly index: number; readonly count: number };
  /** Of merged reports: which parts are here. */
  readonly shards?: { readonly count: number; readonly missing: readonly number[] };
  readonly totals: { readonly images: Readonly<Record<ReportStatus, number>>; readonly blobs: ReportBlobs };
  readonly images: readonly ReportImage[];
  /**
   * Digests of blobs that `push --storage` placed although no image that arrived names them, sorted; absent where there
   * are none. Harbor never sweeps them.
   */
  readonly unnamedBlobs?: readonly string[];
}

/** What tells a report from other JSON. */
export const reportFileKind = 'regtar report';

/** What became of an image; `unfinished`: its turn did not come. */
export type ReportStatus = ImageStatus | 'unfinished';

/** The signed report that a push required, and its signer. */
export interface ReportApproval extends Signer {
  /** The name of its file. */
  readonly report: string;
}

/** One SOURCE of what travelled. */
export interface ReportSource {
  readonly name: string;
  readonly format: string;
  readonly bytes?: number;
  /**
   * Of the file as it was given, of all parts in their order, or of what came through standard input; absent where it
   * is not known.
   */
  readonly sha256?: string;
  /**
   * What a server calls the version that was read: its ETag, or when it was modified. It stands in for the SHA-256, for
   * which SOURCE would be read again.
   */
  readonly version?: string;
}

/** Where everything went. */
export interface ReportTarget {
  /** `registry`, or the format of an export; the storage of a registry is `registry-storage`. */
  readonly kind: 'registry' | FormatReportKind;
  /** `host[:port]`, or OUT as it was given. */
  readonly name: string;
  /** Beneath which every repository of a registry was put; absent where there is none. */
  readonly path?: string;
  /** What answered there, where it says: `Harbor v2.15.2`. */
  readonly product?: string;
}

/** One image of a report. */
export interface ReportImage {
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
  readonly mediaType?: string;
  readonly platforms?: readonly string[];
  /** Everything it needs, in bytes. */
  readonly bytes?: number;
  /**
   * What it is called in the target, and its digest there: another one where an index was reduced to some platforms.
   */
  readonly arrived?: { readonly repository: string; readonly tag?: string; readonly digest: string };
  /** Its place, for people. */
  readonly target?: string;
  readonly status: ReportStatus;
  readonly error?: ReportError;
  readonly started?: string;
  readonly ended?: string;
}

/** Why something failed. */
export interface ReportError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** What a run moved: counts, and bytes that were sent or did not need to be. */
export interface ReportBlobs {
  readonly copied: number;
  readonly present: number;
  readonly mounted: number;
  readonly bytes: number;
  readonly spared: number;
  /** Put into the target's own storage; absent where nothing was. */
  readonly placed?: number;
  /** Copied by the server that holds source and output, and not hashed; absent where nothing was. */
  readonly serverCopied?: number;
  readonly serverCopiedBytes?: number;
}

/** How many images have each status. */
export function countImages(images: Iterable<{ readonly status: ReportStatus }>): Record<ReportStatus, number> {
  return countStatuses<ReportStatus>(images, [...imageStatuses, 'unfinished']);
}

/** A report whose images are made while they are gone through, as often as they are: a list of them is large. */
export type UnlistedReport = Omit<Report, 'images'> & { readonly images: Iterable<ReportImage> };

const imagesPerPiece = 256;

/**
 * A report as JSON, an image a line: so it is half as long as indented throughout, and `grep` and `diff` find images.
 * @returns pieces, since a report of a million images is longer than V8's longest text; as often as they are gone
 * through
 */
export function formatReport({ images, ...head }: UnlistedReport): Iterable<string> {
  return repeatable(function* () {
    let piece = `${JSON.stringify(head, undefined, 2).slice(0, -2)},\n  "images": [\n`;
    let count = 0;
    for (const image of images) {
      piece += `${count === 0 ? '' : ',\n'}    ${JSON.stringify(image)}`;
      if (++count % imagesPerPiece !== 0) continue;
      yield piece;
      piece = '';
    }
    yield `${piece}\n  ]\n}\n`;
  });
}
