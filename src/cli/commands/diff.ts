import { RegtarError } from '../../errors.ts';
import { diffBackups, type BackupDiff, type ChangedImage } from '../../select/diff.ts';
import { createFilter } from '../../select/filter.ts';
import { resolveNames } from '../../select/resolve-name.ts';
import type { Context } from '../context.ts';
import { withBackup, type BackupOptions } from '../open-backup.ts';
import { readSelection, settleSelection, tellReasons, type ChoiceOptions } from '../selection.ts';
import { formatBytes, formatCount, plural } from '../../io/sizes.ts';

/** Which images are compared. */
export type DiffCommandOptions = ChoiceOptions & BackupOptions;

/** `regtar diff OLD NEW`: what a delta would carry. */
export async function diff(
  operands: readonly string[],
  options: DiffCommandOptions,
  context: Context,
): Promise<number> {
  const [before, after] = operands;
  if (before === undefined || after === undefined)
    throw new RegtarError('USAGE', 'two backups are needed', { hint: 'write `regtar diff OLD NEW`' });
  if (options.source !== undefined)
    throw new RegtarError('USAGE', 'diff compares two backups, and --source would add a third', {
      hint: 'leave it out; several archives are one backup for the other commands',
    });
  const selection = await readSelection(options, context);
  const { include, exclude, images } = selection;
  // A chosen history and an index belong to one backup: the later one, as everything that is chosen.
  const { atDigest, indexFile, ...shared } = options;
  const later = { ...shared, ...(atDigest && { atDigest }), ...(indexFile !== undefined && { indexFile }) };
  return withBackup([before], shared, context, async (old) =>
    withBackup([after], later, context, async (fresh) => {
      const { filter: chosen, reasons } = await settleSelection(selection, fresh);
      tellReasons(reasons, context);
      const named = createFilter({ include, exclude, images: images && resolveNames(old.catalog, images) });
      const result = diffBackups(old, fresh, { chosen, named });
      if (context.json) context.output.json(result);
      else context.output.line(renderDiff(result));
      return 0;
    }),
  );
}

function renderDiff({ added, changed, gone, unchanged, travel }: BackupDiff): string {
  const lines = (sign: string, images: readonly ChangedImage[]): string[] =>
    images.map(({ repository, tag }) => `${sign} ${repository}:${tag}`);
  return [
    ...lines('+', added),
    ...lines('~', changed),
    ...lines('-', gone),
    `${plural(added.length, 'image')} new, ${formatCount(changed.length)} changed, ${formatCount(gone.length)} ` +
      `gone, ${formatCount(unchanged)} unchanged; ${plural(travel.blobs, 'blob')} must travel, ` +
      `${formatBytes(travel.bytes)}`,
  ].join('\n');
}
