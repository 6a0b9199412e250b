import { summarize } from '../../content/summarize.ts';
import type { Context } from '../context.ts';
import { withBackup, type BackupOptions } from '../open-backup.ts';
import { splitReference } from '../operands.ts';
import { imageHistory } from './image-history.ts';
import { inspectImage } from './inspect-image.ts';
import { renderHistory } from '../render/history.ts';
import { renderImage } from '../render/image.ts';
import { renderSummary } from '../render/summary.ts';

export interface InspectOptions extends BackupOptions {
  /** Everything that the tag ever meant, one digest a line. */
  readonly history?: boolean;
}

/** `regtar inspect [SOURCE] [REF]`: a whole backup at a glance, or one image. */
export async function inspect(operands: readonly string[], options: InspectOptions, context: Context): Promise<number> {
  const { sources, reference } = splitReference(operands, options);
  return withBackup(sources, { ...options, keep: 'small' }, context, async (opened) => {
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
    const summary = summarize(catalog, store);
    if (context.json) {
      const { platforms, bytes, ...rest } = summary;
      context.output.json({ source: backup.describe, format: backup.format, ...rest, bytes: { archive: backup.bytes, ...bytes }, platforms: platforms.map(({ platform }) => platform) });
    } else context.output.line(renderSummary(summary, { describe: backup.describe, format: backup.format, bytes: backup.bytes, verbose: context.verbose }));
    return 0;
  });
}
