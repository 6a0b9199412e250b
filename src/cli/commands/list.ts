import { createGraphReader } from '../../content/image-graph.ts';
import { readManifest } from '../../content/read-manifest.ts';
import { RegtarError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { compareCodePoints, formatImageReference } from '../../oci/reference.ts';
import { unreachedRevisions } from '../../content/unreached-revisions.ts';
import { nothingSelected } from '../../select/require-images.ts';
import type { Context } from '../context.ts';
import { withBackup, type OpenedBackup } from '../open-backup.ts';
import { sourceOperands } from '../operands.ts';
import { formatError } from '../output.ts';
import { renderProblems } from '../render/problems.ts';
import { readSelection, type SelectionOptions } from '../selection.ts';

export interface ListOptions extends SelectionOptions {
  readonly untagged?: boolean;
}

interface Listed {
  readonly repository: string;
  readonly tag?: string;
  readonly digest: Digest;
  readonly mediaType: string | undefined;
  readonly size: number | undefined;
}

/** `regtar list`: the `images.list` that people already use, sorted by code point. */
export async function list(operands: readonly string[], options: ListOptions, context: Context): Promise<number> {
  const selection = await readSelection(options);
  return withBackup(sourceOperands(operands, options), { ...options, keep: 'small' }, context, async (opened) => {
    for (const problem of renderProblems(
      opened.catalog.problems.filter(({ repository }) => repository === undefined),
      context.verbose,
    ))
      context.output.error(problem);
    const names = listImages(opened, options, selection.filter).sort((left, right) =>
      compareCodePoints(formatImageReference(left), formatImageReference(right)),
    );
    if (context.json) context.output.json(names.map((name) => describe(opened, name)));
    else if (names.length === 0) context.output.message(formatError(nothingSelected(opened.catalog), false));
    else context.output.line(names.map((name) => formatImageReference(name)).join('\n'));
    return 0;
  });
}

function listImages(
  { catalog, store }: OpenedBackup,
  options: ListOptions,
  filter: (name: { repository: string; tag?: string; digest: Digest }) => boolean,
): { repository: string; tag?: string; digest: Digest }[] {
  const graph = createGraphReader(store);
  const names: { repository: string; tag?: string; digest: Digest }[] = [];
  for (const repository of catalog.repositories()) {
    const tags = [...catalog.tags(repository)];
    for (const { tag, digest } of tags) names.push({ repository, tag, digest });
    if (options.untagged === true) {
      const unreached = unreachedRevisions(
        graph,
        tags.map(({ digest }) => digest),
        [...catalog.revisions(repository)],
      );
      for (const digest of unreached) names.push({ repository, digest });
    }
  }
  return names.filter(filter);
}

function describe({ store }: OpenedBackup, name: { repository: string; tag?: string; digest: Digest }): Listed {
  try {
    const { descriptor } = readManifest(store, name.digest);
    return { ...name, mediaType: descriptor.mediaType, size: descriptor.size };
  } catch (error) {
    // A list names what storage names; `inspect` and `verify` say what is broken.
    if (error instanceof RegtarError) return { ...name, mediaType: undefined, size: undefined };
    throw error;
  }
}
