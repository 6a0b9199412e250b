import type { AbsentVolumes, ImageTarget } from '../content/contracts.ts';
import type { ManifestNode } from '../content/image-graph.ts';
import type { Problem, RegtarError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ChosenImage } from './choose-platforms.ts';

/** One image on its way: what it is, what it becomes, and why not. */
export interface PlannedImage {
  readonly source: { readonly repository: string; readonly tag: string | undefined; readonly digest: Digest };
  readonly target: ImageTarget;
  readonly node: ManifestNode;
  readonly rewritten: ChosenImage['rewritten'];
  /** Configs and layers that are copied: all of `target.blobs` but what the base has. */
  readonly travelling: readonly Descriptor[];
  /** Configs and layers that the backup does not have; only where the plan's options allow it. */
  readonly lacking?: readonly Descriptor[] | undefined;
}

/**
 * An image that will not travel: `skipped` because this output cannot hold such images, `failed` because the backup
 * lacks something.
 */
export interface RefusedImage {
  readonly source: {
    readonly repository: string;
    readonly tag: string | undefined;
    readonly digest: Digest | undefined;
  };
  readonly status: 'skipped' | 'failed';
  readonly error: RegtarError;
  readonly problems: readonly Problem[];
}

/** One thing to know of many images. */
export interface PlanNote {
  /** In words, without a name. */
  readonly text: string;
  readonly images: readonly {
    readonly name: string;
    /** What is particular to it. */ readonly detail?: string | undefined;
  }[];
}

/** Data: it can be printed, tested and carried out. */
export interface Plan {
  readonly images: readonly PlannedImage[];
  readonly refused: readonly RefusedImage[];
  /**
   * What is wrong with the backup and no single refused image tells: a cut, a damaged part, links that were recovered.
   */
  readonly problems: readonly Problem[];
  /** Choices that were made for the person: platforms, rewritten indexes, foreign layers. */
  readonly notes: readonly PlanNote[];
  /** Unique blobs and manifests of all images, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
  /**
   * Of one of several shards: blobs that another one brings into the same registry, and the repository where they will
   * be.
   */
  readonly elsewhere?: ReadonlyMap<Digest, string>;
  /** Of one of several shards: blobs that others wait for. */
  readonly awaited?: ReadonlySet<Digest>;
  /**
   * Where the target may have blobs that the backup lacks: repositories, as they are called there, that the backup says
   * have had them.
   */
  readonly homes?: ReadonlyMap<Digest, readonly string[]>;
  /** Where the backup is some volumes of a set: what the others have. */
  readonly absent?: AbsentVolumes;
}
