import type { RegtarError } from '../errors.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';

/** A plan without the images that something refuses; they are among its refused ones then. */
export function withRefusals(plan: Plan, refused: ReadonlyMap<PlannedImage, RegtarError>): Plan {
  if (refused.size === 0) return plan;
  return {
    ...plan,
    images: plan.images.filter((image) => !refused.has(image)),
    refused: [
      ...plan.refused,
      ...[...refused].map(([{ source }, error]) => ({ source, status: 'failed' as const, error, problems: [] })),
    ],
  };
}
