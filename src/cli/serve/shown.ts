import type { Catalog } from '../../content/contracts.ts';
import { parseImageReference } from '../../oci/reference.ts';
import { createRenamer } from '../../select/rename.ts';
import { selectCandidates } from '../../select/candidates.ts';
import { nothingSelected } from '../../select/require-images.ts';
import { chosenCatalog, renameCatalog } from '../../select/shown-catalog.ts';
import { missingNames, unknownImage } from '../../select/unknown-image.ts';
import { unmatchedMaps } from '../../select/unmatched.ts';
import type { Context } from '../context.ts';
import type { OpenedBackup } from '../open-backup.ts';
import { formatError } from '../output.ts';
import { renderProblems } from '../render/problems.ts';
import { settleSelection, tellReasons, type ChoiceOptions, type Selection } from '../selection.ts';

/** What the command line says of images and their names. */
export interface ShownOptions extends ChoiceOptions {
  readonly map?: readonly string[];
  readonly project?: string;
}

/**
 * What clients see: everything, or what was chosen, under the names that were asked for. Notes say what is wrong with
 * it.
 * @throws RegtarError NOTHING_SELECTED, MAP_INVALID, OUTPUT_COLLISION, and those of `settleSelection`
 */
export async function shownCatalog(
  opened: OpenedBackup,
  selection: Selection,
  options: ShownOptions,
  context: Context,
): Promise<Catalog> {
  const { catalog } = opened;
  const { graph, reasons, ...settled } = await settleSelection(selection, opened);
  const rename = createRenamer({ maps: options.map, project: options.project });
  const shown = selection.isNarrow
    ? chosenCatalog(catalog, graph, selectCandidates(catalog, graph, settled), rename)
    : renameCatalog(catalog, rename);
  for (const problem of renderProblems(shown.problems, context.verbose)) context.output.error(problem);
  for (const name of missingNames(catalog, settled.wanted ?? []))
    context.output.error(formatError(unknownImage(catalog, name, parseImageReference(name)), context.verbose));
  if (!hasImages(shown)) throw nothingSelected(catalog, reasons);
  tellReasons([...reasons, ...unmatchedMaps(catalog, options.map ?? [])], context);
  return shown;
}

function hasImages(catalog: Catalog): boolean {
  for (const repository of catalog.repositories())
    if (!isEmpty(catalog.tags(repository)) || !isEmpty(catalog.revisions(repository))) return true;
  return false;
}

function isEmpty(items: Iterable<unknown>): boolean {
  for (const _ of items) return false;
  return true;
}
