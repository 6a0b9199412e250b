import type { Problem } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * `partial`: some platforms of an index are whole. `lost`: nothing of it can be run or pushed. `elsewhere`: what is
 * here is whole, and the rest lies on volumes of the set that were not given.
 */
export type ImageState = 'whole' | 'partial' | 'lost' | 'elsewhere';

/** What is left of one image. */
export interface ImageVerdict {
  readonly repository: string;
  /** undefined for a revision that no tag and no index reaches. */
  readonly tag: string | undefined;
  /** undefined for a tag whose meaning is lost. */
  readonly digest: Digest | undefined;
  readonly state: ImageState;
  /** Platforms that are whole, and those that are not, as `os/architecture[/variant]`; both empty for artifacts. */
  readonly platforms: { readonly whole: readonly string[]; readonly lost: readonly string[] };
}

/** A problem of the backup, and the images that it concerns. */
export interface VerifyProblem extends Problem {
  /** `repository:tag` or `repository@digest` of everything that needs this blob, by code point. */
  readonly neededBy?: readonly string[];
}

/** How many images are in each state. */
export interface StateCounts {
  readonly whole: number;
  readonly partial: number;
  readonly lost: number;
  /** Absent where there are none. */
  readonly elsewhere?: number;
}

/** What `regtar verify --json` prints, and a verdict on each image. */
export interface VerifyReport {
  /** Tags, as `regtar list` counts them, and tags whose meaning is lost. */
  readonly images: StateCounts;
  /** Revisions that no tag and no index reaches. */
  readonly untagged: StateCounts;
  /** Numbers of distinct blobs; sizes are bytes. */
  readonly blobs: {
    /** Hashed; none after a quick look. */
    readonly checked: number;
    readonly bytes: number;
    readonly corrupt: number;
    /** Named by a manifest or a link, and not in the backup; foreign layers do not count. */
    readonly missing: number;
    /** Reached by no tag and no revision: what garbage collection would remove. */
    readonly unreferenced: number;
    readonly corruptBytes: number;
    /** As manifests say; blobs that only links name count nothing. */
    readonly missingBytes: number;
    readonly unreferencedBytes: number;
  };
  /**
   * Whether nothing is damaged. Problems that are not damage (schema1, several trees, deleted revisions) do not change
   * it.
   */
  readonly sound: boolean;
  readonly quick: boolean;
  readonly problems: readonly VerifyProblem[];
  readonly verdicts: readonly ImageVerdict[];
  readonly seconds: number;
}

/** What happens while a backup is verified; sizes are bytes. */
export type VerifyEvent =
  | { readonly type: 'start'; readonly blobs: number; readonly bytes: number }
  | { readonly type: 'bytes'; readonly bytes: number }
  | { readonly type: 'damage'; readonly digest: Digest; readonly message: string };
