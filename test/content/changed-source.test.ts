import { truncateSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { SinkTraits } from '../../src/content/contracts.ts';
import { findGarbage } from '../../src/content/garbage.ts';
import { createGraphReader } from '../../src/content/image-graph.ts';
import { findReferrers } from '../../src/content/referrers.ts';
import { summarize } from '../../src/content/summarize.ts';
import { diffBackups } from '../../src/select/diff.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { openTar, type OpenedStorage } from '../support/open-storage.ts';
import { buildStorage } from '../support/storage-builder.ts';

const everything: SinkTraits = { schema1: true, indexes: true, artifacts: true, parallelBlobs: 2 };

it.each<[string, (opened: OpenedStorage, before: OpenedStorage) => unknown]>([
  ['a summary', ({ catalog, store }) => summarize(catalog, store)],
  [
    'a plan',
    ({ catalog, store }) =>
      createPlan(catalog, store, { filter: createFilter({}), rename: createRenamer({}), traits: everything }),
  ],
  [
    'what refers to an image',
    ({ catalog, graph }) => findReferrers(graph, [], [...catalog.tags('app')], [...catalog.revisions('app')]),
  ],
  ['what a difference makes travel', (opened, before) => diffBackups(before, opened)],
  ['garbage', ({ catalog, store }) => findGarbage(catalog, store, createGraphReader(store))],
])('%s ends where the backup became shorter, and calls no image broken', async (_, ask) => {
  const before = await openTar(buildStorage((s) => s.image('other', '1')));
  const opened = await openTar(buildStorage((s) => [s.image('app', '1'), s.image('app', '2', { layers: ['two'] })]));
  truncateSync(opened.path, 512);
  expect(() => ask(opened, before)).toThrow(expect.objectContaining({ code: 'SOURCE_CHANGED' }));
});
