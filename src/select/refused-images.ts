import type { Catalog, ContentStore } from '../content/contracts.ts';
import { codeFacts, RegtarError, type ErrorPlace, type Problem } from '../errors.ts';
import { formatImageReference, parseImageReference } from '../oci/reference.ts';
import type { SelectOptions } from './candidates.ts';
import type { ImageFilter } from './filter.ts';
import type { RefusedImage } from './plan.ts';
import { unknownImage } from './unknown-image.ts';

/**
 * Tags that are there and mean nothing any more: a person has to decide about them, so they are failures and not
 * absent.
 */
export function* lostImages(catalog: Catalog, filter: ImageFilter): Generator<RefusedImage> {
  const reasons = lostReasons(catalog);
  for (const repository of catalog.repositories()) {
    for (const { tag, candidates } of catalog.lostTags(repository)) {
      if (!filter({ repository, tag, digest: '' })) continue;
      const problem = reasons.get(`${repository}:${tag}`);
      const hint =
        candidates.length > 0
          ? `choose an image for it with --at-digest from \`regtar inspect ${repository}:${tag} ` +
            `--history\`, or leave it behind with --exclude`
          : `leave it behind with --exclude, or ${isSavedWrong(problem) ? 'save it' : 'push it in the source'} again`;
      const error = new RegtarError(
        problem?.code ?? 'TAG_NO_CURRENT',
        problem?.message ?? `${repository}:${tag} points to no image`,
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

/** Why tags mean nothing, by their names: what became of the tag itself in a registry's storage, elsewhere anything. */
function lostReasons(catalog: Catalog): ReadonlyMap<string, Problem> {
  const reasons = new Map<string, Problem>();
  for (const problem of catalog.problems) {
    const { code, repository, tag } = problem;
    const name = `${repository}:${tag}`;
    if (tag !== undefined && (codeFacts[code].tag === 'lost' || !reasons.has(name))) reasons.set(name, problem);
  }
  return reasons;
}

/** Whether the files of an image are not what its archive says, as opposed to its tag. */
export function isSavedWrong(problem: Problem | undefined): boolean {
  return problem !== undefined && codeFacts[problem.code].tag !== 'lost';
}

/** Images that the set has and the given volumes lack: they fail where the set is meant, or where they were named. */
export function* absentImages(
  catalog: Catalog,
  { absent }: ContentStore,
  { filter, wanted }: SelectOptions,
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

/** The error of what another volume of the set has. @param what with its verb: `X is` */
export function onOtherVolume(what: string, volume: string, where: ErrorPlace): RegtarError {
  return new RegtarError('VOLUME_MISSING', `${what} on ${volume}, which was not given`, {
    where: { repository: where.repository, tag: where.tag, digest: where.digest },
    hint: `give it, too: --source ${volume}, or the folder with all volumes`,
  });
}

/** A name that was asked for, and that the backup does not have. */
export function refuseUnknown(catalog: Catalog, name: string): RefusedImage {
  const image = parseImageReference(name);
  const source = { repository: image.repository, tag: image.tag, digest: undefined };
  return { source, status: 'failed', error: unknownImage(catalog, name, image), problems: [] };
}
