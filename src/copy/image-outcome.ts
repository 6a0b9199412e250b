import type { RegtarError } from '../errors.ts';
import type { ImageTarget } from '../content/contracts.ts';
import type { Digest } from '../oci/digest.ts';
import type { PlannedImage } from '../select/plan.ts';
import type { ImageResult, ImageStatus } from './events.ts';

/**
 * What became of a planned image. Names are asked of the plan and the sink when they are looked at: a run of a million
 * tags keeps all of them until its end.
 */
export class ImageOutcome implements ImageResult {
  readonly status: ImageStatus;
  readonly error?: RegtarError;
  readonly untried?: true;
  private readonly image: PlannedImage;
  private readonly describe: (target: ImageTarget) => string;

  /** @param describe of the sink */
  constructor(
    image: PlannedImage,
    describe: (target: ImageTarget) => string,
    { status, error, untried }: Pick<ImageResult, 'status' | 'error' | 'untried'>,
  ) {
    this.image = image;
    this.describe = describe;
    this.status = status;
    if (error !== undefined) this.error = error;
    if (untried !== undefined) this.untried = untried;
  }

  /** Before maps. */
  get repository(): string {
    return this.image.source.repository;
  }

  /** undefined for an image that has none */
  get tag(): string | undefined {
    return this.image.source.tag;
  }

  /** In the source. */
  get digest(): Digest {
    return this.image.source.digest;
  }

  /** Its place in the output. */
  get target(): string {
    return this.describe(this.image.target);
  }

  /** As data. */
  toJSON(): ImageResult {
    return resultWith(this, {});
  }
}

/** A result with other facts in it, as data. */
export function resultWith<Facts extends Partial<ImageResult>>(result: ImageResult, facts: Facts): ImageResult & Facts {
  const { repository, tag, digest, target, status, error, untried } = result;
  return {
    repository,
    tag,
    digest,
    target,
    status,
    ...(error !== undefined && { error }),
    ...(untried !== undefined && { untried }),
    ...facts,
  };
}
