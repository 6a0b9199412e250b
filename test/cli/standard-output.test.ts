import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { typed } from './support/shell.ts';

const folder = temporaryFolder();
const sound = folder.file('docker.tar');
const damaged = folder.file('damaged.tar');

beforeAll(() => {
  const describeImages = (lose: boolean) =>
    buildStorage((s) => {
      const app = s.image('app', 'v1', { layers: ['one'] });
      if (lose) s.loseBlob(app.blobs[1]!.digest);
    });
  writeFileSync(sound, describeImages(false).tar());
  writeFileSync(damaged, describeImages(true).tar());
});
afterAll(() => folder.remove());

const full = /regtar: OUTPUT_FULL: standard output cannot be written: the disk is full/;

describe('a standard output that takes nothing is a failure', () => {
  it.each<[string, number]>([
    [`list ${sound}`, 1],
    [`list --json ${sound}`, 1],
    [`verify ${damaged}`, 4],
    ['--version', 1],
    ['list --help', 1],
    ['help BLOB_MISSING', 1],
  ])('regtar %s > /dev/full', async (command, exit) => {
    const { code, stderr } = await typed(`regtar ${command} > /dev/full`, { allowFailure: true });
    expect([code, stderr]).toEqual([exit, expect.stringMatching(full)]);
  });

  it('after the work was done and what became of it was said', async () => {
    const out = folder.file('out');
    const { code, stderr } = await typed(`regtar export ${sound} ${out} --json > /dev/full`, { allowFailure: true });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/1 image[^]*OUTPUT_FULL/)]);
    expect((await typed(`regtar export ${sound} ${out} --json`)).stdout).toContain('"present": 3');
  });

  it('a file that cannot grow is not a list that ends early', async () => {
    const { code, stderr } = await typed(`ulimit -f 1; trap '' XFSZ; regtar help --man > ${folder.file('manual')}`, {
      allowFailure: true,
    });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/OUTPUT_FULL: .*larger than/)]);
  });

  it('a program that listens to events is told, too', async () => {
    const { code, stderr } = await typed(`regtar list ${sound} --events jsonl > /dev/full`, { allowFailure: true });
    const events = stderr.trimEnd().split('\n');
    expect([code, ...events.map((line) => JSON.parse(line) as object)]).toEqual([
      1,
      expect.objectContaining({ code: 'OUTPUT_FULL' }),
      expect.objectContaining({ exitCode: 1 }),
    ]);
  });
});

describe('what is not a failure', () => {
  it('a reader that has seen enough', async () => {
    expect(await typed(`set -o pipefail; regtar help --man | head -1`)).toMatchObject({ code: 0, stderr: '' });
    const { code, stderr } = await typed(`set -o pipefail; regtar verify ${damaged} | true`, { allowFailure: true });
    expect([code, stderr]).toEqual([4, '']);
  });

  it('a standard error that takes nothing', async () => {
    const { code, stdout } = await typed(`regtar export ${sound} ${folder.file('quiet')} --json 2> /dev/full`);
    expect([code, stdout]).toEqual([0, expect.stringContaining('"status": "copied"')]);
  });

  it('a pipe and a file get the same', async () => {
    const [piped, filed] = [
      await typed(`regtar list ${sound}`),
      await typed(`regtar list ${sound} > ${folder.file('f')}; cat ${folder.file('f')}`),
    ];
    expect([piped.stdout, filed.stdout]).toEqual(['app:v1\n', 'app:v1\n']);
  });
});
