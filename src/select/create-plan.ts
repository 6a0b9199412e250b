import type { Catalog, ContentStore } from '../content/contracts.ts';
import { createGraphReader, imageProblems, tryReadNode, type GraphReader } from '../content/image-graph.ts';
import { codeFacts, othersGoOn, RegtarError, type Problem } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { formatImageReference } from '../oci/reference.ts';
import { selectCandidates, type Candidate, type SelectOptions } from './candidates.ts';
import { planImage, type AddNote, type ImageOptions } from './plan-image.ts';
import { planTotals } from './plan-totals.ts';
import type { Plan, PlannedImage, PlanNote, RefusedImage } from './plan.ts';
import { refuseCollisions } from './refuse-collisions.ts';
import { absentImages, lostImages, refuseUnknown } from './refused-images.ts';
import type { RenameRepository } from './rename.ts';
import { missingNames } from './unknown-image.ts';

/** What a plan is made of, beside the backup. */
export interface PlanOptions extends SelectOptions, ImageOptions {
  /** A reader that knows manifests of this backup already. @defaultValue a new one */
  readonly graph?: GraphReader | undefined;
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

function problemsOf(graph: GraphReader, candidate: Candidate): readonly Problem[] {
  const root = tryReadNode(graph, candidate.digest);
  return root instanceof RegtarError ? [] : imageProblems(root, candidate);
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
