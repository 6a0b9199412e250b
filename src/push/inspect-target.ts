import { targetName } from '../content/target-name.ts';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RegtarError } from '../errors.ts';
import type { ContentStore, ImageTarget } from '../content/contracts.ts';
import type { Harbor } from '../harbor/recognise-harbor.ts';
import { projectOf, refuseName } from '../harbor/name-rules.ts';
import { inspectProjects, type NewProjectPlace, type ProjectFacts } from '../harbor/preflight.ts';
import { isTagImmutable } from '../harbor/projects.ts';
import { forEachParallel } from '../io/parallel.ts';
import type { Digest } from '../oci/digest.ts';
import type { Registry } from '../remote/registry.ts';
import { refuseCredentials } from './credentials.ts';
import { readHeads, type Heads } from './heads.ts';
import type { OnExistingTag, Presence, RemoteImage } from './presence.ts';
import { refuseQuota } from './quota.ts';
import { createConfigCheck, refuseContent } from './refusals.ts';

/** What decides whether the target takes an image. */
export interface InspectionOptions {
  /** undefined for every other registry. */
  readonly harbor: Harbor | undefined;
  readonly createProjects: boolean;
  /** Of projects to be created, in bytes. */
  readonly storageLimit: number | undefined;
  readonly onExistingTag: OnExistingTag;
  /** Tags that the registry cannot show count as absent. @defaultValue false */
  readonly distrust?: boolean | undefined;
  /** What the images are made of; without it their configs are not looked at. */
  readonly store?: ContentStore | undefined;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** The target before the first byte. What was asked here is not asked again by the push. */
export interface Inspection<Image extends RemoteImage = RemoteImage> {
  readonly presence: ReadonlyMap<Image, Presence>;
  /** Images that the target would refuse, with the reason. */
  readonly refused: ReadonlyMap<Image, RegtarError>;
  readonly projectsToCreate: readonly string[];
  /** The same, with who is to create them. */
  readonly newProjects: readonly NewProjectPlace[];
  /** By name; empty for every registry but Harbor. */
  readonly projects: ReadonlyMap<string, ProjectFacts>;
  readonly heads: Heads;
}

/**
 * Asks the target everything that decides whether a push can succeed: projects, tags, rules and room. Writes nothing.
 * @throws RegtarError when the target as a whole cannot be asked
 */
export async function inspectRemote<Image extends RemoteImage>(
  registry: Registry,
  images: readonly Image[],
  options: InspectionOptions,
): Promise<Inspection<Image>> {
  const refused = new Map<Image, RegtarError>();
  const presence = new Map<Image, Presence>();
  const left = (): Image[] => images.filter((image) => !refused.has(image));
  const refuseEach = (refuse: (image: Image) => RegtarError | undefined): void => {
    for (const image of left()) {
      const error = refuse(image);
      if (error !== undefined) refused.set(image, error);
    }
  };
  const { harbor } = options;
  if (harbor !== undefined) refuseEach(({ target }) => refuseName(target.repository));
  for (const [image, error] of await refuseCredentials(registry, left(), options)) refused.set(image, error);
  const projects =
    harbor === undefined
      ? new Map<string, ProjectFacts>()
      : await inspectProjects(
          registry,
          harbor,
          new Map(left().map(({ target }) => [projectOf(target.repository), target.repository])),
          { create: options.createProjects, parallel: options.jobs, signal: options.signal },
        );
  refuseEach(({ target }) => projects.get(projectOf(target.repository))?.obstacle);
  if (harbor !== undefined) refuseEach(({ node, target }) => refuseContent(node, target, registry.host));

  const heads = await readHeads(
    registry,
    left().map(({ target }) => target),
    {
      isFresh: harbor && freshness(projects),
      distrust: options.distrust,
      jobs: options.jobs,
      signal: options.signal,
    },
  );
  refuseEach(({ target }) => heads.failures.get(target));
  for (const image of left()) presence.set(image, presenceOf(image.target, heads));
  await refuseChanges(registry, left(), presence, refused, options);
  if (harbor?.isReadOnly === true)
    refuseEach((image) => (presence.get(image) === 'present' ? undefined : readOnly(registry)));
  const writes = (image: Image): boolean =>
    presence.get(image) === 'new' || (presence.get(image) === 'changed' && options.onExistingTag !== 'skip');
  if (harbor !== undefined && options.store !== undefined)
    await refuseConfigs(
      left().filter(writes),
      createConfigCheck(options.store, registry.host),
      refused,
      options.signal,
    );
  for (const [image, error] of await refuseQuota(registry, left(), {
    ...options,
    projects,
    presence,
    writes,
    isFresh: (repository) => heads.isFresh(repository),
  }))
    refused.set(image, error);

  const needed = new Map(
    left()
      .filter(writes)
      .map(({ target }) => [projectOf(target.repository), target.repository]),
  );
  const newProjects = [...projects.values()]
    .filter(({ name, state }) => state === 'missing' && needed.has(name))
    .map(({ name, account }) => ({ name, repository: needed.get(name) ?? name, hint: account.creationHint }));
  return { presence, refused, projects, projectsToCreate: newProjects.map(({ name }) => name), newProjects, heads };
}

/** Configs by the hundred thousand must not keep others waiting. */
const configsPerTurn = 256;

async function refuseConfigs<Image extends RemoteImage>(
  images: readonly Image[],
  check: ReturnType<typeof createConfigCheck>,
  refused: Map<Image, RegtarError>,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, image] of images.entries()) {
    if (index % configsPerTurn === 0) await nextTurn();
    signal.throwIfAborted();
    const error = check(image.node, image.target);
    if (error !== undefined) refused.set(image, error);
  }
}

/** Harbor says what its projects hold. */
function freshness(projects: ReadonlyMap<string, ProjectFacts>): (repository: string) => boolean | undefined {
  return (repository) => {
    const known = projects.get(projectOf(repository))?.repositories;
    return known === undefined ? undefined : !known.has(repository);
  };
}

function presenceOf(target: ImageTarget, heads: Heads): Presence {
  const there = heads.digestOf(target);
  return there === undefined ? 'new' : there === target.root.digest ? 'present' : 'changed';
}

async function refuseChanges<Image extends RemoteImage>(
  registry: Registry,
  images: readonly Image[],
  presence: ReadonlyMap<Image, Presence>,
  refused: Map<Image, RegtarError>,
  { harbor, onExistingTag, jobs, signal }: InspectionOptions,
): Promise<void> {
  const changed = images.filter((image) => presence.get(image) === 'changed');
  if (onExistingTag === 'error') for (const image of changed) refused.set(image, tagExists(registry, image.target));
  if (onExistingTag !== 'overwrite' || harbor === undefined) return;
  await forEachParallel(changed, jobs, async (image) => {
    const { repository, tag } = image.target;
    if (tag !== undefined && (await isTagImmutable(registry, repository, tag, { signal })) === true)
      refused.set(image, tagImmutable(registry, repository, tag));
  });
}

/** @param digest what the tag means there */
export function tagExists(registry: Registry, target: ImageTarget, digest?: Digest): RegtarError {
  return new RegtarError(
    'TAG_EXISTS',
    `${registry.host}/${targetName(target)} is there already${digest === undefined ? '' : ` as ${digest}`}`,
    {
      where: {
        repository: target.repository,
        tag: target.tag,
        digest: target.root.digest,
      },
      hint: '--on-existing-tag overwrite replaces it, skip leaves it',
    },
  );
}

function tagImmutable(registry: Registry, repository: string, tag: string): RegtarError {
  return new RegtarError(
    'TAG_IMMUTABLE',
    `${registry.host}/${repository}:${tag} points to a different image there, ` +
      'and a rule of the project makes it immutable',
    {
      where: { repository, tag },
      hint: 'change the rule, or leave the tag with --on-existing-tag skip',
    },
  );
}

function readOnly(registry: Registry): RegtarError {
  return new RegtarError('READ_ONLY', `${registry.host} is in read-only mode`, {
    hint: 'an administrator has to end it',
  });
}
