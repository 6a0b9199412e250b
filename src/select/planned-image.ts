import type { ImageTarget } from '../content/contracts.ts';
import { imageBlobs, type ManifestNode } from '../content/image-graph.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Candidate } from './candidates.ts';
import type { PlannedImage } from './plan.ts';

/**
 * What an image becomes. Descriptors are made when they are looked at: a plan of a hundred thousand images has seven
 * hundred thousand of them.
 */
export class TargetOfPlan implements ImageTarget {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly pushed: number | undefined;
  readonly referrer: boolean;
  readonly node: ManifestNode;
  readonly lacking: readonly Descriptor[];

  constructor(
    repository: string,
    { tag, pushed, referrer }: Candidate,
    node: ManifestNode,
    lacking: readonly Descriptor[],
  ) {
    this.repository = repository;
    this.tag = tag;
    this.pushed = pushed;
    this.referrer = referrer;
    this.node = node;
    this.lacking = lacking;
  }

  get root(): Descriptor {
    return this.node.descriptor;
  }

  get blobs(): readonly Descriptor[] {
    const there = imageBlobs(this.node);
    return this.lacking.length === 0 ? there : [...there, ...this.lacking];
  }
}

/** An image on its way, whose lists are made when they are looked at. */
export class ImageOfPlan implements PlannedImage {
  readonly target: TargetOfPlan;
  readonly rewritten: PlannedImage['rewritten'];
  private readonly root: ManifestNode;
  private readonly repository: string;
  private readonly base: ReadonlySet<string> | undefined;

  constructor(
    root: ManifestNode,
    target: TargetOfPlan,
    more: Pick<PlannedImage, 'rewritten'> & {
      readonly repository: string;
      /** Blobs that the other side has already. */
      readonly base: ReadonlySet<string> | undefined;
    },
  ) {
    this.root = root;
    this.target = target;
    this.rewritten = more.rewritten;
    this.repository = more.repository;
    this.base = more.base;
  }

  get source(): PlannedImage['source'] {
    return { repository: this.repository, tag: this.target.tag, digest: this.root.descriptor.digest };
  }

  get node(): ManifestNode {
    return this.target.node;
  }

  get travelling(): readonly Descriptor[] {
    const { base } = this;
    const there = imageBlobs(this.node);
    return base === undefined ? there : there.filter((blob) => !base.has(blob.digest));
  }

  get lacking(): readonly Descriptor[] | undefined {
    return this.target.lacking.length === 0 ? undefined : this.target.lacking;
  }
}
