import type { ContentStore } from '../content/contracts.ts';
import type { Backup } from '../source/backup.ts';
import { openSource } from '../source/open-source.ts';
import { readCatalog, type StorageCatalog } from '../storage/catalog.ts';
import { openContentStore } from '../storage/content-store.ts';
import type { Context } from './context.ts';

export interface OpenedBackup {
  readonly backup: Backup;
  readonly catalog: StorageCatalog;
  readonly store: ContentStore;
}

export interface OpenOptions {
  /** Where standard input and compressed backups are spooled: on the output's own file system, so that files are renamed into place. */
  readonly spoolFolder?: string | undefined;
}

/** Opens SOURCE, reads its catalog, gives it to `use` and closes it, whatever happens. */
export async function withBackup<Result>(sources: readonly string[], options: OpenOptions, context: Context, use: (opened: OpenedBackup) => Promise<Result>): Promise<Result> {
  const backup = await openSource(sources, {
    signal: context.signal,
    onNotice: (text) => context.output.message(`regtar: ${text}`),
    ...(options.spoolFolder !== undefined && { spoolFolder: options.spoolFolder }),
  });
  try {
    const catalog = await readCatalog(backup, { signal: context.signal });
    return await use({ backup, catalog, store: openContentStore(backup, catalog) });
  } finally {
    await backup.close();
  }
}
