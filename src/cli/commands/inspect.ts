import { createGraphReader, type GraphReader } from '../../content/image-graph.ts';
import { summarize, type BackupSummary } from '../../content/summarize.ts';
import { RegtarError } from '../../errors.ts';
import type { Context } from '../context.ts';
import { withBackup, type BackupOptions, type OpenedBackup } from '../open-backup.ts';
import { splitReference } from '../operands.ts';
import { imageHistory } from './image-history.ts';
import { inspectImage } from './inspect-image.ts';
import { renderHistory } from '../render/history.ts';
import { renderImage } from '../render/image.ts';
import { renderSummary } from '../render/summary.ts';

export interface InspectOptions extends BackupOptions {
  /** Everything that the tag ever meant, one digest a line. */
  readonly history?: boolean;
  /** Where to write the whole backup as one page. */
  readonly html?: string;
}

/** `regtar inspect [SOURCE] [REF]`: a whole backup at a glance, or one image. */
export async function inspect(operands: readonly string[], options: InspectOptions, context: Context): Promise<number> {
  const { sources, reference } = splitReference(operands, options);
  if (reference !== undefined && options.html !== undefined)
    throw new RegtarError('USAGE', '--html shows a whole backup, not one image', {
      hint: 'leave REF or --html out',
    });
  const outputs = options.html === undefined ? [] : [{ name: '--html', path: options.html }];
  return withBackup(sources, { ...options, keep: 'small', checkLinks: true, outputs }, context, async (opened) => {
    if (reference !== undefined && options.history === true) {
      const history = imageHistory(opened, reference);
      if (context.json) context.output.json(history);
      else context.output.line(renderHistory(history));
      return 0;
    }
    if (reference !== undefined) {
      const image = inspectImage(opened, reference);
      if (context.json) context.output.json(image);
      else context.output.line(renderImage(image));
      return 0;
    }
    const { backup, catalog, store } = opened;
    const graph = createGraphReader(store);
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
          describe: backup.describe,
          format: backup.format,
          bytes: backup.bytes,
          verbose: context.verbose,
        }),
      );
    return 0;
  });
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
  const page = inspectPage(summary, weighImages(catalog, store, graph), {
    source: backup.describe,
    format: backup.format,
    bytes: backup.bytes,
    version: context.version,
    made: new Date(),
  });
  writeReport(path, renderPage(page));
  context.output.message(`wrote ${path}`);
}
