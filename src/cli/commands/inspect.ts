import { createGraphReader, type GraphReader } from '../../content/image-graph.ts';
import { findGarbage } from '../../content/garbage.ts';
import { summarize, type BackupSummary } from '../../content/summarize.ts';
import { readManifest } from '../../content/read-manifest.ts';
import { RegtarError } from '../../errors.ts';
import { requireWritable } from '../../io/named-file.ts';
import { repositoriesOf, resolveName } from '../../select/resolve-name.ts';
import { parseNamedImage } from '../../oci/reference.ts';
import { whatIf } from '../../select/what-if.ts';
import type { Context } from '../context.ts';
import { withBackup, type OpenedBackup } from '../open-backup.ts';
import { splitReference } from '../operands.ts';
import { imageHistory } from './image-history.ts';
import { findImage, inspectImage } from './inspect-image.ts';
import { inspectRepository } from './inspect-repository.ts';
import { readSelection, settleSelection, tellReasons, type ChoiceOptions, type Selection } from '../selection.ts';
import { renderGarbage } from '../render/garbage.ts';
import { renderHistory } from '../render/history.ts';
import { renderImage } from '../render/image.ts';
import { renderRepository } from '../render/repository.ts';
import { renderSummary } from '../render/summary.ts';
import { viewOf } from '../render/view.ts';
import { renderWhatIf } from '../render/what-if.ts';

/** Options of `regtar inspect`. */
export interface InspectOptions extends ChoiceOptions {
  /** Every image that the tag ever pointed to, one digest a line. */
  readonly history?: boolean;
  /** The manifest's bytes as they are stored. */
  readonly raw?: boolean;
  /** What nothing needs. */
  readonly unreferenced?: boolean;
  /** Where to write the whole backup as one page. */
  readonly html?: string;
}

/** `regtar inspect [SOURCE] [REF]`: a whole backup at a glance, or one image. */
export async function inspect(operands: readonly string[], options: InspectOptions, context: Context): Promise<number> {
  const { sources, reference } = splitReference(operands, options);
  const selection = await readSelection(options, context);
  refuseMixture(options, selection.isNarrow, reference);
  if (options.html !== undefined) requireWritable(options.html);
  const outputs = options.html === undefined ? [] : [{ name: '--html', path: options.html }];
  return withBackup(sources, { ...options, keep: 'small', checkLinks: true, outputs }, context, async (opened) => {
    if (reference !== undefined) return showReference(opened, reference, options, context);
    if (options.unreferenced === true) return showGarbage(opened, context);
    if (selection.isNarrow) return showWhatIf(opened, selection, context);
    const { backup, catalog, store } = opened;
    // Only the page looks at every image a second time.
    const graph = createGraphReader(store, options.html === undefined ? { mostNodes: 4000 } : {});
    const summary = summarize(catalog, store, graph);
    if (options.html !== undefined) await writePage(options.html, opened, graph, summary, context);
    if (context.json) {
      const { platforms, bytes, ...rest } = summary;
      context.output.json({
        source: backup.describe,
        format: backup.format,
        ...rest,
        bytes: { archive: backup.bytes, ...bytes },
        platforms: platforms.map(({ platform }) => platform),
      });
    } else
      context.output.line(
        renderSummary(summary, {
          ...viewOf(backup.describe, context),
          format: backup.format,
          bytes: backup.bytes,
        }),
      );
    return 0;
  });
}

/** A question at a time. @throws RegtarError USAGE */
function refuseMixture(options: InspectOptions, isNarrow: boolean, reference: string | undefined): void {
  const { html, unreferenced, raw, history } = options;
  if (reference === undefined && (raw === true || history === true))
    throw new RegtarError('USAGE', `${raw === true ? '--raw' : '--history'} is for one image, but no REF was given`, {
      hint: 'write `regtar inspect [SOURCE] REPOSITORY:TAG`',
    });
  if (raw === true && history === true)
    throw new RegtarError('USAGE', '--raw and --history ask for different things', { hint: 'use one at a time' });
  const questions = [
    ...(reference === undefined ? [] : ['REF']),
    ...(html === undefined ? [] : ['--html']),
    ...(unreferenced === true ? ['--unreferenced'] : []),
    ...(isNarrow ? ['a selection of images'] : []),
  ];
  if (questions.length > 1)
    throw new RegtarError('USAGE', `${questions.join(' and ')} ask for different things`, {
      hint: 'use one at a time',
    });
}

/** One image, its history or its bytes; the tags of a repository where REF names nothing below it. */
function showReference(opened: OpenedBackup, text: string, options: InspectOptions, context: Context): number {
  const { output, json } = context;
  const name = resolveName(repositoriesOf(opened.catalog), parseNamedImage(text));
  if (name.tag === undefined && name.digest === undefined)
    return showRepository(opened, name.repository, options, context);
  if (options.raw === true) output.raw(readManifest(opened.store, findImage(opened, name).digest).bytes);
  else if (options.history === true) {
    const history = imageHistory(opened, name);
    if (json) output.json(history);
    else output.line(renderHistory(history));
  } else {
    const image = inspectImage(opened, name);
    if (json) output.json(image);
    else output.line(renderImage(image, output.columns));
  }
  return 0;
}

function showRepository(opened: OpenedBackup, repository: string, options: InspectOptions, context: Context): number {
  if (options.raw === true || options.history === true)
    throw new RegtarError(
      'USAGE',
      `${repository} is a repository, and ${options.raw === true ? '--raw' : '--history'} is for one image`,
      {
        hint: `name one: ${repository}:TAG`,
      },
    );
  const tags = inspectRepository(opened, repository);
  if (context.json) context.output.json(tags);
  else context.output.line(renderRepository(tags, context.output.columns));
  return 0;
}

async function showGarbage({ backup, catalog, store }: OpenedBackup, context: Context): Promise<number> {
  const garbage = findGarbage(catalog, store, createGraphReader(store, { mostNodes: 4000 }));
  if (context.json) context.output.json({ source: backup.describe, format: backup.format, ...garbage });
  else context.output.line(renderGarbage(garbage, viewOf(backup.describe, context)));
  return 0;
}

async function showWhatIf(opened: OpenedBackup, selection: Selection, context: Context): Promise<number> {
  const { backup, catalog, store } = opened;
  const { reasons, graph, ...settled } = await settleSelection(selection, opened);
  const divided = whatIf(catalog, store, graph, settled);
  tellReasons(reasons, context);
  if (context.json) context.output.json({ source: backup.describe, format: backup.format, ...divided });
  else context.output.line(renderWhatIf(divided, viewOf(backup.describe, context)));
  return 0;
}

async function writePage(
  path: string,
  { backup, catalog, store }: OpenedBackup,
  graph: GraphReader,
  summary: BackupSummary,
  context: Context,
): Promise<void> {
  const [{ inspectPage }, { renderPage }, { weighImages }, { writeReport }] = await Promise.all([
    import('../../report/inspect-page.ts'),
    import('../../report/page/render-page.ts'),
    import('../../report/weigh-images.ts'),
    import('../../report/write-report.ts'),
  ]);
  const page = inspectPage(summary, weighImages(catalog, store, graph), findGarbage(catalog, store, graph), {
    source: backup.describe,
    format: backup.format,
    bytes: backup.bytes,
    version: context.version,
    made: new Date(),
  });
  await writeReport(path, renderPage(page), { signal: context.signal });
  context.output.message(`wrote ${path}`);
}
