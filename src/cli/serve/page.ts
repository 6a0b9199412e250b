import type { Catalog, ContentStore } from '../../content/contracts.ts';
import { createGraphReader } from '../../content/image-graph.ts';
import { findGarbage } from '../../content/garbage.ts';
import { summarize } from '../../content/summarize.ts';
import type { Backup } from '../../source/backup.ts';

/** What the page at `/` is of. */
export interface ServedPage {
  readonly backup: Backup;
  /** What clients see. */
  readonly catalog: Catalog;
  readonly store: ContentStore;
  /** `host:port` */
  readonly host: string;
  /** The command line that prints the files of clients. */
  readonly clientsLine: string;
  readonly version: string;
}

/** Makes the page of the backup with a line that pulls each image; its code is loaded when the first browser asks. */
export async function renderServedPage({
  backup,
  catalog,
  store,
  host,
  clientsLine,
  version,
}: ServedPage): Promise<Uint8Array> {
  const [{ inspectPage }, { renderPage }, { withPullLines }, { weighImages }] = await Promise.all([
    import('../../report/inspect-page.ts'),
    import('../../report/page/render-page.ts'),
    import('../../report/pull-lines.ts'),
    import('../../report/weigh-images.ts'),
  ]);
  const graph = createGraphReader(store);
  const page = inspectPage(
    summarize(catalog, store, graph),
    weighImages(catalog, store, graph),
    findGarbage(catalog, store, graph),
    {
      source: backup.describe,
      format: backup.format,
      bytes: backup.bytes,
      version,
      made: new Date(),
    },
  );
  return Buffer.from(renderPage(withPullLines(page, { catalog, host, clientsLine })));
}
