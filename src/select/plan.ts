import { targetName } from '../content/target-name.ts';
import { codeFacts, othersGoOn, RegtarError, type ErrorPlace, type Problem } from '../errors.ts';
import type { AbsentVolumes, Catalog, ContentStore, ImageTarget, SinkTraits } from '../content/contracts.ts';
import {
  childrenFirst,
  createGraphReader,
  imageBlobs,
  imageProblems,
  isSchema1,
  tryReadNode,
  type GraphReader,
  type ManifestNode,
} from '../content/image-graph.ts';
import { createDigestSet } from '../content/digest-set.ts';
import { findReferrers, isReferrer } from '../content/referrers.ts';
import { unreachedRevisions } from '../content/unreached-revisions.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isForeignLayerType, isImageConfigType } from '../oci/media-types.ts';
import { formatPlatform, hostPlatform, type Platform } from '../oci/platform.ts';
import { formatImageReference, parseImageReference } from '../oci/reference.ts';
import { choosePlatforms, runnableImages, type ChosenImage } from './choose-platforms.ts';
import type { ImageFilter } from './filter.ts';
import type { RenameRepository } from './rename.ts';
import { missingNames, unknownImage } from './unknown-image.ts';

/** What a plan is made of, beside the backup. */
export interface PlanOptions {
  readonly filter: ImageFilter;
  readonly rename: RenameRepository;
  readonly traits: SinkTraits;
  /** Empty keeps all platforms, or for outputs without indexes the host's. */
  readonly platforms?: readonly Platform[];
  readonly sparse?: boolean;
  /** Also manifests that no tag and no index reaches. */
  readonly untagged?: boolean;
  /**
   * Referrers and signatures travel with what they refer to. Where false they stay, unless one is asked for by its very
   * name.
   * @defaultValue true
   */
  readonly referrers?: boolean;
  /** Names that must be found; the ones that are not become failed images. */
  readonly wanted?: ReadonlySet<string> | undefined;
  /** Blobs that the other side has already: they stay behind. Manifests always travel. */
  readonly base?: ReadonlySet<string> | undefined;
  /** A reader that knows manifests of this backup already. @defaultValue a new one */
  readonly graph?: GraphReader | undefined;
  /**
   * Whether images may lack configs and layers, because the target may have them: that is looked up when the plan is
   * carried out.
   * @defaultValue false
   */
  readonly mayLack?: boolean | undefined;
}

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

type AddNote = (text: string, name: string, detail?: string) => void;

/** An image that was chosen, before its manifest is looked at. */
export interface Candidate {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly pushed?: number | undefined;
  readonly referrer: boolean;
}

/**
 * Decides what travels, under which name, and what cannot, before the first byte.
 * @throws RegtarError MAP_INVALID, OUTPUT_COLLISION
 */
export function createPlan(catalog: Catalog, store: ContentStore, options: PlanOptions): Plan {
  const graph = options.graph ?? createGraphReader(store);
  const images: PlannedImage[] = [];
  const refused: RefusedImage[] = [];
  const notes = new Map<string, PlanNote['images'][number][]>();
  const note: AddNote = (text, name, detail) =>
    void (notes.get(text) ?? notes.set(text, []).get(text))?.push({ name, detail });
  const wanted = options.wanted ?? new Set<string>();
  const found = new Set<string>();
  const find = (name: string): void => {
    if (wanted.has(name)) found.add(name);
  };
  for (const candidate of selectCandidates(catalog, graph, options)) {
    if (wanted.size > 0) {
      find(formatImageReference(candidate));
      find(`${candidate.repository}@${candidate.digest}`);
    }
    try {
      images.push(planImage(store, graph, candidate, options, note));
    } catch (error) {
      if (!othersGoOn(error) || error.code === 'MAP_INVALID') throw error;
      refused.push({
        source: candidate,
        status: codeFacts[error.code].skips === true ? 'skipped' : 'failed',
        error,
        problems: problemsOf(graph, candidate),
      });
    }
  }
  for (const lost of lostImages(catalog, options.filter)) {
    find(formatImageReference(lost.source));
    refused.push(lost);
  }
  // What is there and was left out was left out on purpose.
  for (const image of absentImages(catalog, store, options)) {
    find(formatImageReference(image.source));
    find(`${image.source.repository}@${image.source.digest}`);
    refused.push(image);
  }
  for (const name of missingNames(catalog, wanted)) if (!found.has(name)) refused.push(refuseUnknown(catalog, name));
  refuseCollisions(images);
  return {
    images,
    refused,
    problems: remainingProblems(catalog, images, refused),
    notes: [...notes].map(([text, named]) => ({ text, images: named })),
    ...planTotals(images, store),
    ...homesOf(catalog, store, images, options.rename),
    ...(store.absent && { absent: store.absent }),
  };
}

/** What of a plan's options chooses images. */
export type SelectOptions = Pick<PlanOptions, 'filter' | 'untagged' | 'referrers' | 'wanted'>;

/** Chooses images by name, with what refers to them; each once, in the order of the catalog. */
export function* selectCandidates(catalog: Catalog, graph: GraphReader, options: SelectOptions): Generator<Candidate> {
  for (const repository of catalog.repositories()) {
    const tags = [...catalog.tags(repository)];
    const selected = new Map<string, Candidate>();
    for (const { tag, digest, pushed } of tags) {
      const candidate = { repository, tag, digest, pushed, referrer: false };
      if (options.filter(candidate)) selected.set(tag, candidate);
    }
    const { namesRevision } = options.filter;
    const isSelected = options.untagged === true || selected.size > 0;
    const revisions = isSelected || namesRevision !== undefined ? [...catalog.revisions(repository)] : [];
    const named = new Set(
      namesRevision === undefined ? [] : revisions.filter((digest) => namesRevision({ repository, digest })),
    );
    const unreached =
      isSelected || named.size > 0
        ? unreachedRevisions(
            graph,
            tags.map(({ digest }) => digest),
            revisions,
          )
        : [];
    const untagged =
      options.untagged === true ? unreached.filter((digest) => options.filter({ repository, digest })) : [];
    const tagged = new Set([...selected.values()].map(({ digest }) => digest));
    for (const digest of [...untagged, ...named])
      if (!tagged.has(digest)) selected.set(digest, { repository, tag: undefined, digest, referrer: false });
    const roots = [...selected.values()].map(({ digest }) => digest);
    if (options.referrers === false) {
      const isWanted = (candidate: Candidate): boolean =>
        named.has(candidate.digest) || options.wanted?.has(formatImageReference(candidate)) === true;
      for (const [key, candidate] of selected)
        if (isReferrer(graph, candidate) && !isWanted(candidate)) selected.delete(key);
    } else if (selected.size > 0) {
      for (const referrer of findReferrers(graph, roots, tags, unreached)) {
        const key = referrer.tag ?? referrer.digest;
        // What was asked for by its digest is an image of its own, even if it refers to another; what was
        // excluded stays.
        if (!named.has(referrer.digest) && options.filter.excludes?.({ repository, ...referrer }) !== true)
          selected.set(key, { repository, ...referrer, referrer: true });
      }
    }
    yield* selected.values();
  }
}

function planImage(
  store: ContentStore,
  graph: GraphReader,
  candidate: Candidate,
  options: PlanOptions,
  note: AddNote,
): PlannedImage {
  const { repository, tag, digest } = candidate;
  const name = formatImageReference(candidate);
  const root = graph.read(digest);
  const { node, rewritten } = chooseNode(store, root, candidate, options, note);
  if (rewritten !== undefined)
    note(
      'reduced to the platforms that were asked for, so the index has a new digest',
      name,
      `${node.descriptor.digest} instead of ${rewritten.from}`,
    );
  const lacking = options.mayLack === true ? missingBlobs(node) : [];
  const isAccepted = ({ code, digest: lost }: Problem): boolean =>
    (options.sparse === true && code === 'CHILD_MISSING') || lacking.some((blob) => blob.digest === lost);
  const problem = imageProblems(node, { repository, tag }).find((each) => !isAccepted(each));
  if (problem !== undefined) throw absentBlob(store, problem, candidate) ?? brokenImage(problem, node, candidate);
  refuseUnsupported(node, candidate, options.traits, note);
  return new ImageOfPlan(root, new TargetOfPlan(options.rename(repository), candidate, node, lacking), {
    repository,
    rewritten,
    base: options.base,
  });
}

/**
 * What an image becomes. Descriptors are made when they are looked at: a plan of a hundred thousand images has seven
 * hundred thousand of them.
 */
class TargetOfPlan implements ImageTarget {
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

class ImageOfPlan implements PlannedImage {
  readonly target: TargetOfPlan;
  readonly rewritten: ChosenImage['rewritten'];
  private readonly root: ManifestNode;
  private readonly repository: string;
  private readonly base: PlanOptions['base'];

  constructor(
    root: ManifestNode,
    target: TargetOfPlan,
    more: Pick<PlanOptions, 'base'> & Pick<ChosenImage, 'rewritten'> & { readonly repository: string },
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

/** Configs and layers that the backup should have and has not, each once. */
function missingBlobs(node: ManifestNode): readonly Descriptor[] {
  const missing = childrenFirst(node).flatMap((each) => each.missing);
  return [...new Map(missing.map((blob) => [blob.digest, blob])).values()];
}

/** The catalog says which repositories had a blob, although its bytes are elsewhere. */
function homesOf(
  catalog: Catalog,
  { absent }: ContentStore,
  images: readonly PlannedImage[],
  rename: RenameRepository,
): Pick<Plan, 'homes'> {
  const homes = new Map<Digest, string[]>();
  for (const { lacking = [] } of images) for (const { digest } of lacking) homes.set(digest, []);
  if (homes.size === 0) return {};
  // Where a volume was pushed that is not here, the registry has its blobs there.
  for (const [digest, repositories] of homes) {
    const repository = absent?.repositoryOf(digest);
    if (repository !== undefined) repositories.push(rename(repository));
  }
  for (const repository of catalog.repositories())
    for (const digest of catalog.layers(repository)) homes.get(digest)?.push(rename(repository));
  return { homes };
}

function chooseNode(
  store: ContentStore,
  root: ManifestNode,
  candidate: Candidate,
  options: PlanOptions,
  note: AddNote,
): ChosenImage {
  const name = formatImageReference(candidate);
  const platforms = options.platforms ?? [];
  if (candidate.referrer) return { node: root, rewritten: undefined };
  if (options.traits.indexes || root.kind !== 'index')
    return choosePlatforms(store, root, { platforms, sparse: options.sparse ?? false }, name);
  // An output of single images: what was asked for, else the only one there is, else the host's.
  const runnable = runnableImages(root);
  const [only] = runnable;
  if (platforms.length > 1)
    throw new RegtarError('PLATFORM_AMBIGUOUS', `${name}: this format holds one platform of an image`, {
      hint: 'give --platform once',
    });
  if (platforms.length === 0 && runnable.length === 1 && only !== undefined)
    return { node: only, rewritten: undefined };
  const wanted = platforms[0] ?? hostPlatform();
  const chosen = choosePlatforms(store, root, { platforms: [wanted], sparse: false }, name);
  if (platforms.length === 0)
    note(
      `${formatPlatform(chosen.node.platform ?? wanted)} was chosen out of several platforms (--platform ` +
        'chooses another)',
      name,
    );
  return chosen;
}

function refuseUnsupported(node: ManifestNode, candidate: Candidate, traits: SinkTraits, note: AddNote): void {
  const nodes = childrenFirst(node);
  if (!traits.schema1 && nodes.some(isSchema1)) {
    throw new RegtarError('SCHEMA1', 'this output does not hold docker schema 1 images', {
      where: placeOf(candidate),
      hint: 'export it with --format dir or registry, or push the image again with a current docker',
    });
  }
  const foreign = nodes.flatMap((each) => each.foreign);
  if (!traits.artifacts) {
    if (node.kind !== 'image' || !isRunnable(node))
      throw new RegtarError(
        'MANIFEST_UNSUPPORTED',
        'not a runnable image (a chart, a signature, an index), and this output holds no others',
        { where: placeOf(candidate), hint: 'export it with --format oci, dir or registry' },
      );
    if (foreign.length > 0)
      throw new RegtarError(
        'FOREIGN_LAYER',
        'foreign layers are not in the backup, and this output holds whole images only',
        { where: placeOf(candidate), hint: 'export it with --format oci, dir or registry' },
      );
  } else if (foreign.length > 0)
    note(
      'foreign layers are left out: their bytes come from their urls',
      formatImageReference(candidate),
      `${foreign.length}`,
    );
}

function placeOf({ repository, tag, digest }: Candidate): ErrorPlace {
  return { repository, tag, digest };
}

function isRunnable(node: ManifestNode): boolean {
  return (
    node.config !== undefined &&
    isImageConfigType(node.config.mediaType) &&
    node.layers.every(({ mediaType }) => mediaType.includes('tar') || isForeignLayerType(mediaType))
  );
}

/** A blob that lies on another volume of the set is not lost. */
function absentBlob(store: ContentStore, { digest }: Problem, candidate: Candidate): RegtarError | undefined {
  const volume = digest === undefined ? undefined : store.absent?.volumeOf(digest as Digest);
  return volume === undefined
    ? undefined
    : onOtherVolume(`${formatImageReference(candidate)} needs ${digest}, which is`, volume, candidate);
}

/** Images that the set has and the given volumes lack: they fail where the set is meant, or where they were named. */
function* absentImages(
  catalog: Catalog,
  { absent }: ContentStore,
  { filter, wanted }: PlanOptions,
): Generator<RefusedImage> {
  const known = new Map<string, ReadonlySet<string>>();
  for (const { repository, tag, digest, volume } of absent?.images ?? []) {
    const name = formatImageReference({ repository, tag, digest });
    if (absent?.isSetMeant !== true && wanted?.has(name) !== true) continue;
    if (!filter({ repository, tag, digest })) continue;
    const own = known.get(repository) ?? new Set([...catalog.tags(repository)].map((entry) => entry.tag));
    known.set(repository, own);
    if (tag !== undefined && own.has(tag)) continue;
    const source = { repository, tag, digest };
    yield { source, status: 'failed', error: onOtherVolume(`${name} is`, volume, source), problems: [] };
  }
}

function onOtherVolume(what: string, volume: string, where: ErrorPlace): RegtarError {
  return new RegtarError('VOLUME_MISSING', `${what} on ${volume}, which was not given`, {
    where: { repository: where.repository, tag: where.tag, digest: where.digest },
    hint: `give it, too: --source ${volume}, or the folder with all volumes`,
  });
}

function brokenImage(problem: Problem, node: ManifestNode, candidate: Candidate): RegtarError {
  const survivors =
    node.kind === 'index'
      ? node.children.filter(
          (child) =>
            child.platform !== undefined && imageProblems(child, candidate).length === 0 && child.kind === 'image',
        )
      : [];
  const whole = [...new Set(survivors.map((child) => formatPlatform(child.platform as Platform)))].filter(
    (text) => text !== 'unknown/unknown',
  );
  const hint =
    whole.length > 0
      ? `these platforms are whole: ${whole.join(', ')}; take them with --platform`
      : 'run `regtar verify` to list everything that this backup lacks';
  return new RegtarError(problem.code, problem.message, {
    side: 'source',
    where: { repository: candidate.repository, tag: candidate.tag, digest: problem.digest },
    hint,
  });
}

function problemsOf(graph: GraphReader, candidate: Candidate): readonly Problem[] {
  const root = tryReadNode(graph, candidate.digest);
  return root instanceof RegtarError ? [] : imageProblems(root, candidate);
}

/**
 * Tags that are there and mean nothing any more: a person has to decide about them, so they are failures and not
 * absent.
 */
function* lostImages(catalog: Catalog, filter: ImageFilter): Generator<RefusedImage> {
  const reasons = new Map(
    catalog.problems
      .filter(({ code }) => codeFacts[code].tag === 'lost')
      .map((problem) => [`${problem.repository}:${problem.tag}`, problem]),
  );
  for (const repository of catalog.repositories()) {
    for (const { tag, candidates } of catalog.lostTags(repository)) {
      if (!filter({ repository, tag, digest: '' })) continue;
      const problem = reasons.get(`${repository}:${tag}`);
      const hint =
        candidates.length > 0
          ? `choose what it shall mean with --at-digest, out of \`regtar inspect ${repository}:${tag} ` +
            `--history\`, or leave it behind with --exclude`
          : 'leave it behind with --exclude, or push it again in the source';
      const error = new RegtarError(
        problem?.code ?? 'TAG_NO_CURRENT',
        problem?.message ?? `${repository}:${tag} means nothing`,
        { side: 'source', where: { repository, tag }, hint },
      );
      yield {
        source: { repository, tag, digest: undefined },
        status: 'failed',
        error,
        problems: problem === undefined ? [] : [problem],
      };
    }
  }
}

/** Problems of the whole backup, and of repositories that take part; what a refused image says is not said twice. */
function remainingProblems(
  { problems }: Catalog,
  images: readonly PlannedImage[],
  refused: readonly RefusedImage[],
): readonly Problem[] {
  const repositories = new Set([...images, ...refused].map(({ source }) => source.repository));
  const told = new Set(refused.map(({ source: { repository, tag } }) => `${repository}\n${tag ?? ''}`));
  return problems.filter(
    ({ repository, tag }) =>
      repository === undefined ||
      (repositories.has(repository) && !(tag !== undefined && told.has(`${repository}\n${tag}`))),
  );
}

function refuseUnknown(catalog: Catalog, name: string): RefusedImage {
  const image = parseImageReference(name);
  const source = { repository: image.repository, tag: image.tag, digest: undefined };
  return { source, status: 'failed', error: unknownImage(catalog, name, image), problems: [] };
}

/** Two sources that would become one name: whichever came last would win in silence. */
function refuseCollisions(images: readonly PlannedImage[]): void {
  // By far most repositories come from one alone, where names cannot meet.
  const joined = repositoriesOfSeveral(images);
  const taken = new Map<string, PlannedImage>();
  for (const image of joined.size === 0 ? [] : images) {
    if (!joined.has(image.target.repository)) continue;
    const { source, target } = image;
    const name = targetName(target);
    const earlier = taken.get(name);
    if (
      earlier !== undefined &&
      earlier.source.repository !== source.repository &&
      earlier.target.root.digest !== target.root.digest
    ) {
      throw new RegtarError(
        'OUTPUT_COLLISION',
        `${formatImageReference(earlier.source)} and ${formatImageReference(source)} would both become ${name}`,
        { hint: 'change --map or --project so that names stay apart, or filter one of them' },
      );
    }
    taken.set(name, image);
  }
}

/** Repositories of the target that more than one of the source go into. */
function repositoriesOfSeveral(images: readonly PlannedImage[]): ReadonlySet<string> {
  const origins = new Map<string, string>();
  const joined = new Set<string>();
  for (const { source, target } of images) {
    const origin = origins.get(target.repository);
    if (origin === undefined) origins.set(target.repository, source.repository);
    else if (origin !== source.repository) joined.add(target.repository);
  }
  return joined;
}

/** Unique blobs and manifests of images, and their bytes. */
export function planTotals(
  images: readonly PlannedImage[],
  store: Pick<ContentStore, 'numbers'> = {},
): { readonly blobs: number; readonly bytes: number } {
  const seen = createDigestSet(store);
  let blobs = 0;
  let bytes = 0;
  const count = ({ digest, size }: Descriptor): void => {
    if (!seen.add(digest)) return;
    blobs++;
    bytes += size;
  };
  for (const { node, travelling } of images) {
    travelling.forEach(count);
    for (const { descriptor } of childrenFirst(node)) count(descriptor);
  }
  return { blobs, bytes };
}
