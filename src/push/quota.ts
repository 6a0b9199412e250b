import type { RegtarError } from '../errors.ts';
import { childrenFirst } from '../content/image-graph.ts';
import { quotaExceeded } from '../harbor/dialect.ts';
import { projectOf } from '../harbor/name-rules.ts';
import type { ProjectFacts } from '../harbor/preflight.ts';
import type { Quota } from '../harbor/projects.ts';
import { forEachParallel } from '../io/parallel.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { headBlob } from '../remote/blobs.ts';
import { headManifest } from '../remote/manifests.ts';
import type { Registry } from '../remote/registry.ts';
import type { Presence, RemoteImage } from './presence.ts';

/** What the projects of a push have and need. */
export interface QuotaOptions<Image> {
  readonly projects: ReadonlyMap<string, ProjectFacts>;
  /** Of projects to be created. */
  readonly storageLimit: number | undefined;
  readonly presence: ReadonlyMap<Image, Presence>;
  readonly writes: (image: Image) => boolean;
  readonly isFresh: (repository: string) => boolean;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

interface Need {
  readonly size: number;
  readonly isManifest: boolean;
  /** Where it will be pushed, and might be already. */
  readonly repositories: Set<string>;
}

/** Images of projects that have no room for all that they lack. Each blob of a project counts once. */
export async function refuseQuota<Image extends RemoteImage>(
  registry: Registry,
  images: readonly Image[],
  options: QuotaOptions<Image>,
): Promise<ReadonlyMap<Image, RegtarError>> {
  const refused = new Map<Image, RegtarError>();
  for (const facts of options.projects.values()) {
    const quota = quotaOf(facts, options.storageLimit);
    if (quota === undefined || quota.limit < 0) continue;
    const own = images.filter(({ target }) => projectOf(target.repository) === facts.name);
    const needs = needsOf(own, options);
    const room = quota.limit - quota.used;
    if (sum(needs) <= room) continue;
    // Perhaps an interrupted push brought much of it already.
    await dropPresent(registry, needs, options);
    const bytes = sum(needs);
    if (bytes <= room) continue;
    const error = quotaExceeded(registry, facts.name, quota, bytes);
    for (const image of own.filter(options.writes)) refused.set(image, error);
  }
  return refused;
}

function quotaOf(facts: ProjectFacts, storageLimit: number | undefined): Quota | undefined {
  // 0 stands for the server's own, as it does in Harbor.
  return facts.state === 'missing' && storageLimit !== undefined && storageLimit !== 0
    ? { limit: storageLimit, used: 0 }
    : facts.quota;
}

function needsOf<Image extends RemoteImage>(
  images: readonly Image[],
  { presence, writes }: QuotaOptions<Image>,
): Map<Digest, Need> {
  const needs = new Map<Digest, Need>();
  for (const { target, node } of images.filter(writes)) {
    const add = ({ digest, size }: Descriptor, isManifest: boolean): void => {
      const need = needs.get(digest) ?? { size, isManifest, repositories: new Set() };
      need.repositories.add(target.repository);
      needs.set(digest, need);
    };
    for (const blob of target.blobs) add(blob, false);
    for (const { descriptor } of childrenFirst(node)) add(descriptor, true);
  }
  for (const image of images.filter((each) => presence.get(each) === 'present')) {
    for (const { digest } of [...image.target.blobs, ...childrenFirst(image.node).map(({ descriptor }) => descriptor)])
      needs.delete(digest);
  }
  return needs;
}

async function dropPresent<Image>(
  registry: Registry,
  needs: Map<Digest, Need>,
  { isFresh, jobs, signal }: QuotaOptions<Image>,
): Promise<void> {
  await forEachParallel([...needs], jobs, async ([digest, { repositories, isManifest }]) => {
    const head = isManifest ? headManifest : headBlob;
    for (const repository of repositories) {
      if (isFresh(repository) || (await head(registry, repository, digest, { signal })) === undefined) continue;
      needs.delete(digest);
      return;
    }
  });
}

function sum(needs: ReadonlyMap<Digest, Need>): number {
  let bytes = 0;
  for (const { size } of needs.values()) bytes += size;
  return bytes;
}
