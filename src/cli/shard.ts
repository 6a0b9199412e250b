import { RegtarError } from '../errors.ts';
import { shardPlan, type Shard, type ShardOptions } from '../select/shard.ts';
import type { Plan } from '../select/plan.ts';
import type { Context } from './context.ts';
import { plural } from '../io/sizes.ts';

/** `--shard`: without an index the environment says which one this is. */
export interface ShardChoice {
  readonly index: number | undefined;
  readonly count: number;
}

/**
 * Which shard this process is. A Kubernetes Indexed Job numbers its pods from 0 in JOB_COMPLETION_INDEX.
 * @throws RegtarError USAGE
 */
export function chooseShard(
  choice: ShardChoice | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Shard | undefined {
  if (choice === undefined) return undefined;
  const { count } = choice;
  if (choice.index !== undefined) return { index: choice.index, count };
  const variable = env['JOB_COMPLETION_INDEX'];
  if (variable === undefined)
    throw usage(`--shard ${count} does not say which of the ${count}, and JOB_COMPLETION_INDEX is not set`);
  if (!/^[0-9]{1,4}$/.test(variable) || Number(variable) >= count)
    throw usage(`JOB_COMPLETION_INDEX is "${variable}", and ${count} shards have the indexes 0 to ${count - 1}`);
  return { index: Number(variable) + 1, count };
}

/** The part of a plan that this process carries out; the whole where it was not split. */
export function takeShard(plan: Plan, shard: Shard | undefined, options: ShardOptions, { output }: Context): Plan {
  if (shard === undefined) return plan;
  const part = shardPlan(plan, shard, options);
  output.message(
    `shard ${shard.index} of ${shard.count}: ${plural(part.images.length, 'image')} of ${plan.images.length}`,
  );
  return part;
}

function usage(message: string): RegtarError {
  return new RegtarError('USAGE', message, {
    hint: 'write --shard 1/8, or --shard 8 in an Indexed Job with completions: 8',
  });
}
