import { afterAll, expect, it } from 'vitest';
import { copyImages } from '../../src/copy/copy-images.ts';
import { openFileSink } from '../../src/formats/open-file-sink.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { createFilter } from '../../src/select/filter.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { openPath } from '../support/open-storage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

it.each(['oci', 'dir', 'registry'] as const)(
  'an export of small files as %s hears what happens meanwhile: a timer, Ctrl-C',
  async (format) => {
    const { file } = generateBackup(
      { images: 300, repositories: 20, bytes: 300_000, baseImages: 10, largestLayer: 2000, smallestLayer: 40 },
      folder.path,
    );
    const { catalog, store } = await openPath(file);
    const sink = await openFileSink(format, { out: folder.file(format) });
    const plan = createPlan(catalog, store, {
      filter: createFilter({}),
      rename: (repository) => repository,
      traits: sink.traits,
    });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 1);
    let ended = 0;
    const copied = copyImages(plan, store, sink, {
      jobs: 2,
      signal: stop.signal,
      onEvent: ({ type }) => void (type === 'image' && ended++),
    });
    await expect(copied).rejects.toThrow(expect.objectContaining({ code: 'INTERRUPTED' }) as Error);
    expect(ended).toBeLessThan(plan.images.length);
  },
);
