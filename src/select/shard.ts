import type { Digest } from '../oci/digest.ts';
import { childrenFirst } from '../content/image-graph.ts';
import { compareCodePoints, formatImageReference } from '../oci/reference.ts';
import { planTotals } from './plan-totals.ts';
import type { Plan, PlannedImage, RefusedImage } from './plan.ts';

/** One part of the work; `index` counts from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** What parts of the work know of each other. */
export interface ShardOptions {
  /**
   * Whether all parts go to one target, where a blob that one of them brought is a name to the others: a registry,
   * unlike a folder for each.
   */
  readonly isShared: boolean;
}

/**
 * What a blob that another part brings still costs: the wait for it, or a second upload where that part has not run
 * yet.
 */
const sharedCost = 1 / 8;

/** Repositories never part: tags, children and referrers of one find each other in it. */
interface Group {
  readonly name: string;
  readonly images: PlannedImage[];
  readonly refused: RefusedImage[];
  readonly blobs: Map<Digest, number>;
  bytes: number;
}

/**
 * The part of a plan that one shard carries out. Every image is in exactly one of them. The result depends on the plan
 * and on the count alone, so that machines which never talk to each other agree. Repositories are dealt out biggest
 * first, each to the shard that has least to bring with it: what is shared counts once where it is.
 */
export function shardPlan(plan: Plan, shard: Shard, options: ShardOptions): Plan {
  const groups = groupByRepository(plan);
  const owners = dealOut(groups, shard.count, options);
  const mine = groups.filter((group) => owners.get(group) === shard.index - 1);
  const images = new Set(mine.flatMap((group) => group.images));
  const refused = new Set(mine.flatMap((group) => group.refused));
  const kept = plan.images.filter((image) => images.has(image));
  const others = new Set(
    plan.images.filter((image) => !images.has(image)).map(({ source }) => formatImageReference(source)),
  );
  const repositories = new Set([...images, ...refused].map(({ source }) => source.repository));
  return {
    ...plan,
    images: kept,
    refused: plan.refused.filter((each) => refused.has(each)),
    problems: plan.problems.filter(({ repository }) => repository === undefined || repositories.has(repository)),
    notes: plan.notes
      .map((note) => ({ ...note, images: note.images.filter(({ name }) => !others.has(name)) }))
      .filter((note) => note.images.length > 0),
    ...planTotals(kept),
    ...(options.isShared && sharing(groups, owners, shard)),
  };
}

function groupByRepository(plan: Plan): readonly Group[] {
  const groups = new Map<string, Group>();
  const nameOf = new Map<string, string>();
  const groupOf = (name: string): Group => {
    const group = groups.get(name) ?? { name, images: [], refused: [], blobs: new Map<Digest, number>(), bytes: 0 };
    groups.set(name, group);
    return group;
  };
  for (const image of plan.images) {
    const group = groupOf(image.target.repository);
    nameOf.set(image.source.repository, image.target.repository);
    group.images.push(image);
    for (const { digest, size } of [
      ...image.travelling,
      ...childrenFirst(image.node).map(({ descriptor }) => descriptor),
    ]) {
      if (group.blobs.has(digest)) continue;
      group.blobs.set(digest, size);
      group.bytes += size;
    }
  }
  // A repository of which nothing can travel has to be reported, too.
  for (const refused of plan.refused)
    groupOf(nameOf.get(refused.source.repository) ?? refused.source.repository).refused.push(refused);
  return [...groups.values()].sort(
    (left, right) => right.bytes - left.bytes || compareCodePoints(left.name, right.name),
  );
}

/** @returns for each group the shard that brings it, from 0 */
function dealOut(groups: readonly Group[], count: number, { isShared }: ShardOptions): ReadonlyMap<Group, number> {
  const owners = new Map<Group, number>();
  const loads = new Array<number>(count).fill(0);
  const holders = new Map<Digest, Set<number>>();
  const price = isShared ? sharedCost : 1;
  for (const group of groups) {
    let fresh = 0;
    let elsewhere = 0;
    const held = new Array<number>(count).fill(0);
    for (const [digest, size] of group.blobs) {
      const shards = holders.get(digest);
      if (shards === undefined) fresh += size;
      else {
        elsewhere += size;
        for (const index of shards) held[index] = (held[index] ?? 0) + size;
      }
    }
    // A little for each image, so that thousands of small ones do not all come to one shard.
    const added = held.map((bytes) => fresh + (elsewhere - bytes) * price + group.images.length * imageCost);
    let best = 0;
    for (let index = 1; index < count; index++)
      if ((loads[index] ?? 0) + (added[index] ?? 0) < (loads[best] ?? 0) + (added[best] ?? 0)) best = index;
    loads[best] = (loads[best] ?? 0) + (added[best] ?? 0);
    owners.set(group, best);
    for (const digest of group.blobs.keys()) holders.set(digest, (holders.get(digest) ?? new Set<number>()).add(best));
  }
  return owners;
}

/** Requests for an image take about as long as so many bytes. */
const imageCost = 64 * 1024;

/** Who brings what several shards need: the one that has it in its biggest repository. */
function sharing(
  groups: readonly Group[],
  owners: ReadonlyMap<Group, number>,
  shard: Shard,
): Required<Pick<Plan, 'elsewhere' | 'awaited'>> {
  const first = new Map<Digest, Group>();
  const elsewhere = new Map<Digest, string>();
  const awaited = new Set<Digest>();
  for (const group of groups) {
    const owner = owners.get(group);
    for (const digest of group.blobs.keys()) {
      const bringer = first.get(digest);
      if (bringer === undefined) first.set(digest, group);
      else if (owners.get(bringer) === owner) continue;
      else if (owner === shard.index - 1) elsewhere.set(digest, bringer.name);
      else if (owners.get(bringer) === shard.index - 1) awaited.add(digest);
    }
  }
  return { elsewhere, awaited };
}
