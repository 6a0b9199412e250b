import type { ContentStore, SinkTraits } from '../content/contracts.ts';
import {
  childrenFirst,
  imageProblems,
  isSchema1,
  type GraphReader,
  type ManifestNode,
} from '../content/image-graph.ts';
import { RegtarError, type ErrorPlace, type Problem } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isForeignLayerType, isImageConfigType } from '../oci/media-types.ts';
import { formatPlatform, hostPlatform, type Platform } from '../oci/platform.ts';
import { formatImageReference } from '../oci/reference.ts';
import type { Candidate } from './candidates.ts';
import { choosePlatforms, runnableImages, type ChosenImage } from './choose-platforms.ts';
import type { PlannedImage } from './plan.ts';
import { ImageOfPlan, TargetOfPlan } from './planned-image.ts';
import { onOtherVolume } from './refused-images.ts';
import type { RenameRepository } from './rename.ts';

/** What has to be told of an image, in words that many images may share. */
export type AddNote = (text: string, name: string, detail?: string) => void;

/** How images become what an output holds. */
export interface ImageOptions {
  readonly rename: RenameRepository;
  readonly traits: SinkTraits;
  /** Empty keeps all platforms, or for outputs without indexes the host's. */
  readonly platforms?: readonly Platform[];
  readonly sparse?: boolean;
  /** Blobs that the other side has already: they stay behind. Manifests always travel. */
  readonly base?: ReadonlySet<string> | undefined;
  /**
   * Whether images may lack configs and layers, because the target may have them: that is looked up when the plan is
   * carried out.
   * @defaultValue false
   */
  readonly mayLack?: boolean | undefined;
}

/**
 * What becomes of one image.
 * @throws RegtarError of the image: it is broken, or the output cannot hold it; MAP_INVALID
 */
export function planImage(
  store: ContentStore,
  graph: GraphReader,
  candidate: Candidate,
  options: ImageOptions,
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

/** Configs and layers that the backup should have and has not, each once. */
function missingBlobs(node: ManifestNode): readonly Descriptor[] {
  const missing = childrenFirst(node).flatMap((each) => each.missing);
  return [...new Map(missing.map((blob) => [blob.digest, blob])).values()];
}

function chooseNode(
  store: ContentStore,
  root: ManifestNode,
  candidate: Candidate,
  options: ImageOptions,
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
        'this output holds runnable images only: no charts, signatures or other artifacts',
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
