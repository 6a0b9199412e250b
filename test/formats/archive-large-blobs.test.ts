import { writeFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { noise } from './suite.ts';

it('an archive keeps small blobs whole that are read while a large one is written', async () => {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  const layers = Array.from({ length: 8 }, (_, index) => ({
    bytes: noise(index % 2 === 0 ? 9_000_000 : 1_500_000, index),
  }));
  writeFileSync(folder.file('docker.tar'), buildStorage((s) => void s.image('app', '1', { layers })).tar());
  await regtarDone(['export', folder.file('docker.tar'), folder.file('out.tar')]);
  const { code, stdout } = await regtar(['verify', folder.file('out.tar')]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('sound')]);
});
