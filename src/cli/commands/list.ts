import type { Catalog } from '../../content/contracts.ts';
import type { GraphReader } from '../../content/image-graph.ts';
import { readManifest } from '../../content/read-manifest.ts';
import { othersGoOn } from '../../errors.ts';
import { formatCount } from '../../io/sizes.ts';
import type { Digest } from '../../oci/digest.ts';
import { compareCodePoints, formatImageReference, parseImageReference } from '../../oci/reference.ts';
import { unreachedRevisions } from '../../content/unreached-revisions.ts';
import type { ImageFilter } from '../../select/filter.ts';
import { nothingSelected } from '../../select/require-images.ts';
import { missingNames, unknownImage } from '../../select/unknown-image.ts';
import type { Context } from '../context.ts';
import { withBackup, type OpenedBackup } from '../open-backup.ts';
import { sourceOperands } from '../operands.ts';
import { formatError } from '../output.ts';
import { renderProblems } from '../render/problems.ts';
import { someOf } from '../render/some-of.ts';
import { readSelection, settleSelection, tellReasons, type SelectionOptions } from '../selection.ts';

/** Options of `regtar list`. */
export type ListOptions = SelectionOptions;

interface Listed {
  readonly repository: string;
  readonly tag?: string;
  readonly digest: Digest;
  readonly mediaType: string | undefined;
  readonly size: number | undefined;
}

/** `regtar list`: the `images.list` that people already use, sorted by code point. */
export async function list(operands: readonly string[], options: ListOptions, context: Context): Promise<number> {
  const selection = await readSelection(options, context);
  return withBackup(sourceOperands(operands, options), { ...options, keep: 'small' }, context, async (opened) => {
    for (const problem of renderProblems(
      opened.catalog.problems.filter(({ repository }) => repository === undefined),
      context.verbose,
    ))
      context.output.error(problem);
    const { filter, wanted, graph, reasons } = await settleSelection(selection, opened);
    let listed = 0;
    const all: Listed[] = [];
    for (const names of listImages(opened, graph, options, filter)) {
      listed += names.length;
      if (context.json) for (const name of names) all.push(describe(opened, name));
      else if (names.length > 0) context.output.line(names.map((name) => formatImageReference(name)).join('\n'));
    }
    if (context.json) context.output.json(all);
    else if (listed === 0) context.output.message(formatError(nothingSelected(opened.catalog, reasons), false));
    if (context.json || listed > 0) tellReasons(reasons, context);
    tellLost(opened.catalog, filter, context);
    for (const name of missingNames(opened.catalog, wanted ?? []))
      context.output.message(formatError(unknownImage(opened.catalog, name, parseImageReference(name)), false));
    return 0;
  });
}

/** A list that somebody saves and pushes by must not be short of a name without a word. */
function tellLost(catalog: Catalog, filter: ImageFilter, { output, verbose }: Context): void {
  const lost: string[] = [];
  for (const repository of catalog.repositories())
    for (const { tag } of catalog.lostTags(repository))
      if (filter({ repository, tag, digest: '' })) lost.push(`${repository}:${tag}`);
  if (lost.length === 0) return;
  const what =
    lost.length === 1
      ? '1 tag names no certain image and is left out'
      : `${formatCount(lost.length)} tags name no certain image and are left out`;
  output.message(`note: ${what}: ${someOf(lost, verbose)}; \`regtar verify\` says why`);
}

interface Name {
  readonly repository: string;
  readonly tag?: string;
  readonly digest: Digest;
}

/** The names of a repository after those of another. Sorted by code point, since tags and `@` follow a repository. */
function* listImages(
  { catalog }: OpenedBackup,
  graph: GraphReader,
  options: ListOptions,
  filter: (name: Name) => boolean,
): Generator<readonly Name[]> {
  const inOrder = [...catalog.repositories()].sort((left, right) => compareCodePoints(`${left}:`, `${right}:`));
  for (const repository of inOrder) {
    const names: Name[] = [];
    for (const { tag, digest } of catalog.tags(repository)) names.push({ repository, tag, digest });
    if (options.untagged === true) {
      const tagged = names.map(({ digest }) => digest);
      const unreached = unreachedRevisions(graph, tagged, [...catalog.revisions(repository)]);
      for (const digest of [...unreached].sort(compareCodePoints)) names.push({ repository, digest });
    }
    yield names.filter(filter);
  }
}

function describe({ store }: OpenedBackup, name: Name): Listed {
  try {
    const { descriptor } = readManifest(store, name.digest);
    return { ...name, mediaType: descriptor.mediaType, size: descriptor.size };
  } catch (error) {
    // A list names what storage names; `inspect` and `verify` say what is broken.
    if (othersGoOn(error)) return { ...name, mediaType: undefined, size: undefined };
    throw error;
  }
}
