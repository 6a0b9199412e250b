import { codeFacts, RegtarError } from '../errors.ts';
import type { ImageTarget } from '../content/contracts.ts';
import { forEachParallel } from '../io/parallel.ts';
import type { Digest } from '../oci/digest.ts';
import { hasRepository, listRepositories } from '../remote/lists.ts';
import { headManifest } from '../remote/manifests.ts';
import type { Registry } from '../remote/registry.ts';
import { withOwnCredential } from './credentials.ts';

/** What the tags of a target mean before a push. */
export interface Heads {
  /** Whether a repository had nothing: then nothing need be asked of it. */
  isFresh(repository: string): boolean;
  /** @returns undefined when there is no such tag */
  digestOf(target: ImageTarget): Digest | undefined;
  has(target: ImageTarget): boolean;
  /** Tags that the account may not ask about. */
  readonly failures: ReadonlyMap<ImageTarget, RegtarError>;
}

/** How a registry is asked for its tags. */
export interface HeadsOptions {
  /**
   * Whether a repository has nothing, undefined where that is not known. Absent: the registry is asked where that pays.
   */
  readonly isFresh?: ((repository: string) => boolean | undefined) | undefined;
  /**
   * What the registry cannot show counts as absent, because the file of its manifest is damaged: it is going to be
   * written again. @defaultValue false
   */
  readonly distrust?: boolean | undefined;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/**
 * One HEAD a tag, none for repositories that are not there.
 * @throws RegtarError when the registry as a whole does not answer
 */
export async function readHeads(
  registry: Registry,
  targets: readonly ImageTarget[],
  { isFresh: known, distrust = false, jobs, signal }: HeadsOptions,
): Promise<Heads> {
  const digests = createAnswers();
  const failures = new Map<ImageTarget, RegtarError>();
  const once = { retryTimes: 0, hint: "look into the registry's log" };
  const ask = async (target: ImageTarget): Promise<void> => {
    if (digests.has(target)) return;
    const { repository, tag = target.root.digest } = target;
    try {
      const head = await withOwnCredential(registry, () =>
        headManifest(registry, repository, tag, { signal, lasting500: distrust ? once : undefined }),
      );
      digests.set(target, head?.digest);
    } catch (error) {
      if (!(error instanceof RegtarError)) throw error;
      if (distrust && error.where.status === 500) digests.set(target, undefined);
      else if (isAboutOne(error)) failures.set(target, error);
      else throw error;
    }
  };
  const isFresh = known ?? (await askFreshness(registry, targets, ask, (target) => digests.get(target), signal));
  const byRepository = groupByRepository(targets.filter(({ repository }) => isFresh(repository) !== true));
  const fresh = new Set(
    targets.map(({ repository }) => repository).filter((repository) => isFresh(repository) === true),
  );
  const rest: ImageTarget[] = [];
  await forEachParallel([...byRepository], jobs, async ([repository, ofRepository]) => {
    const [first, ...others] = ofRepository;
    if (first === undefined) return;
    await ask(first);
    // A missing tag may stand for a missing repository: one question for it spares a request for each of the others.
    if (
      isFresh(repository) === undefined &&
      others.length > 1 &&
      digests.has(first) &&
      digests.get(first) === undefined &&
      !(await hasRepository(registry, repository, { signal }))
    )
      fresh.add(repository);
    else rest.push(...others);
  });
  await forEachParallel(rest, jobs, ask);
  return {
    isFresh: (repository) => fresh.has(repository),
    digestOf: (target) => digests.get(target),
    has: (target) => digests.has(target) || fresh.has(target.repository),
    failures,
  };
}

/** Below, one list of repositories costs about as much as the tags. */
const fewTargets = 20;

/**
 * A registry that has the first tag has probably most of them: then a list of its repositories, for which it may walk
 * all of its storage, spares nothing.
 */
async function askFreshness(
  registry: Registry,
  targets: readonly ImageTarget[],
  ask: (target: ImageTarget) => Promise<void>,
  digestOf: (target: ImageTarget) => Digest | undefined,
  signal: AbortSignal,
): Promise<(repository: string) => boolean | undefined> {
  const [first] = targets;
  if (first !== undefined && targets.length > fewTargets) await ask(first);
  if (first !== undefined && digestOf(first) !== undefined) return () => undefined;
  const repositories = await knownRepositories(registry, signal);
  return (repository) => (repositories === undefined ? undefined : !repositories.has(repository));
}

/** What a registry other than Harbor has already, where it tells quickly: most keep that to administrators. */
async function knownRepositories(registry: Registry, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
  const patience = AbortSignal.timeout(catalogMilliseconds);
  try {
    const names = await listRepositories(registry, { signal: AbortSignal.any([signal, patience]) });
    return names === undefined ? undefined : new Set(names);
  } catch (error) {
    signal.throwIfAborted();
    // Without the list every tag is asked for by itself: slower, never wrong.
    if (patience.aborted || error instanceof RegtarError) return undefined;
    throw error;
  }
}

const catalogMilliseconds = 5000;

/** What the registry said, by repository and then by tag: joined to one text, names of a million tags are large. */
function createAnswers() {
  const repositories = new Map<string, Map<string, Digest | undefined>>();
  const nameOf = ({ tag, root }: ImageTarget): string => tag ?? root.digest;
  return {
    has: (target: ImageTarget): boolean => repositories.get(target.repository)?.has(nameOf(target)) === true,
    get: (target: ImageTarget): Digest | undefined => repositories.get(target.repository)?.get(nameOf(target)),
    set(target: ImageTarget, digest: Digest | undefined): void {
      const known = repositories.get(target.repository) ?? new Map<string, Digest | undefined>();
      repositories.set(target.repository, known.set(nameOf(target), digest));
    },
  };
}

function groupByRepository(targets: readonly ImageTarget[]): ReadonlyMap<string, ImageTarget[]> {
  const groups = new Map<string, ImageTarget[]>();
  for (const target of targets) {
    const group = groups.get(target.repository);
    if (group === undefined) groups.set(target.repository, [target]);
    else group.push(target);
  }
  return groups;
}

/** A refusal of this repository; what concerns the whole registry ends the push before it begins. */
function isAboutOne(error: RegtarError): boolean {
  return codeFacts[error.code].ends === 'repository';
}
