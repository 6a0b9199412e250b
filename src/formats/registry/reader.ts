import { openContentStore } from '../content-store.ts';
import type { OpenReader } from '../reader.ts';
import { startCatalog } from './catalog.ts';

/** The storage of a Distribution registry, read member by member: it has too many to remember their paths. */
export const openRegistryReader: OpenReader = (backup, _files, options) => {
  const builder = startCatalog(backup);
  return {
    add: builder.add,
    async finish(damage) {
      const catalog = await builder.finish(damage, options.signal);
      return catalog && { catalog, store: openContentStore(backup, catalog), notes: [] };
    },
  };
};
