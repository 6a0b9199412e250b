import { RegtarError } from '../../errors.ts';
import type { Context } from '../context.ts';
import { withBackup, type BackupOptions } from '../open-backup.ts';
import { sourceOperands } from '../operands.ts';
import { formatBytes, formatCount } from '../../io/sizes.ts';

/** Options of `regtar index`. */
export type IndexOptions = BackupOptions;

/**
 * `regtar index [SOURCE…]`: writes `SOURCE.regtar-index`. Nothing is written for a SOURCE without a registry's storage.
 */
export async function saveIndex(operands: readonly string[], options: IndexOptions, context: Context): Promise<number> {
  return withBackup(
    sourceOperands(operands, options),
    { ...options, recordIndex: true },
    context,
    async ({ backup, catalog }) => {
      if (backup.saveIndex === undefined)
        throw new RegtarError('INTERNAL', `${backup.describe} was opened without an index`);
      const facts = backup.saveIndex();
      if (context.json)
        context.output.json({
          source: backup.describe,
          index: facts.file,
          entries: facts.entries,
          copies: facts.copies,
          bytes: facts.bytes,
          problems: catalog.problems,
        });
      else
        context.output.line(
          `wrote ${facts.file}: ${formatCount(facts.entries)} files and links, ${formatCount(facts.copies)} ` +
            `manifests and configs, ${formatBytes(facts.bytes)}`,
        );
      return 0;
    },
  );
}
