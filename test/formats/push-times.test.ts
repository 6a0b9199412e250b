import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { copyImages } from '../../src/copy/copy-images.ts';
import { openFileSink } from '../../src/formats/open-file-sink.ts';
import { tagCurrentPath } from '../../src/formats/registry/layout.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { openPath, openTar } from '../support/open-storage.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { withPushTimes } from '../support/push-times.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it.each(['folder', 'archive'])('an exported storage keeps the time of each push, as %s', async (form) => {
  const out = temporaryFolder();
  onTestFinished(() => out.remove());
  const target = form === 'folder' ? out.file('tree') : out.file('out.tar');
  const built = buildStorage((s) => [s.image('team/app', ['1', '2']), s.image('other', 'x')]);
  const times = { 'team/app:1': 1_600_000_000, 'team/app:2': 1_700_000_000 };
  const { catalog, store } = await openTar(built, withPushTimes(times));
  const sink = await openFileSink('registry', { out: target });
  const plan = createPlan(catalog, store, {
    filter: createFilter({}),
    rename: createRenamer({ project: 'p' }),
    traits: sink.traits,
  });
  await copyImages(plan, store, sink, { jobs: 2, failFast: false });

  const read = await openPath(target);
  expect(Object.fromEntries([...read.catalog.tags('team/app')].map(({ tag, pushed }) => [tag, pushed]))).toEqual({
    1: 1_600_000_000,
    2: 1_700_000_000,
  });
  if (form === 'folder')
    expect(statSync(join(target, tagCurrentPath('team/app', '1'))).mtimeMs).toBe(1_600_000_000_000);
});
