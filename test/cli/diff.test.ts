import { writeFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { regtar, regtarJson } from '../e2e/support/regtar.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const older = buildStorage((s) => s.image('app', undefined, { layers: ['one'] }));
const newer = buildStorage((s) => ({
  app: s.image('app', undefined, { layers: ['one'] }),
  web: s.image('web', ['v1'], { layers: ['first', 'extra'] }),
  again: s.image('web', ['v1'], { layers: ['second'] }),
}));
writeFileSync(folder.file('old.tar'), older.tar());
writeFileSync(folder.file('new.tar'), newer.tar());
const both = [folder.file('old.tar'), folder.file('new.tar')] as const;

interface Diff {
  readonly travel: { readonly blobs: number };
  readonly unchanged: number;
}

it('names of a tag map hold for both backups', async () => {
  writeFileSync(folder.file('tags.csv'), `repository,tag,digest\napp,v9,${newer.built.app.digest}\n`);
  expect((await regtarJson<Diff>(['diff', ...both])).unchanged).toBe(0);
  expect((await regtarJson<Diff>(['diff', ...both, '--tag-map', folder.file('tags.csv')])).unchanged).toBe(1);
});

it('a chosen digest holds for the later one', async () => {
  const chosen = `web:v1@${newer.built.web.digest}`;
  // Manifest, config and layers: the earlier image has one layer more.
  expect((await regtarJson<Diff>(['diff', ...both])).travel.blobs).toBe(3);
  expect((await regtarJson<Diff>(['diff', ...both, '--at-digest', chosen])).travel.blobs).toBe(4);
});

it('a third backup is refused', async () => {
  const { code, stderr } = await regtar(['diff', ...both, '--source', both[0]]);
  expect([code, stderr]).toEqual([2, expect.stringContaining('--source would add a third')]);
});
