import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bareEnvironment } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { run, type RunResult } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const project = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
const checkout = folder.file('checkout');
const regtar = (...args: string[]): Promise<RunResult> =>
  run(process.execPath, [join(checkout, 'bin/regtar.js'), ...args], { env: bareEnvironment, allowFailure: true });

/** What docs/adding-a-format.md says: a folder, and a line in the table (with its import). */
beforeAll(async () => {
  mkdirSync(checkout);
  for (const name of ['src', 'bin', 'scripts', 'package.json', 'tsconfig.json', 'rolldown.config.js'])
    cpSync(join(project, name), join(checkout, name), { recursive: true });
  symlinkSync(join(project, 'node_modules'), join(checkout, 'node_modules'));
  const format = readFileSync(join(import.meta.dirname, 'flat/format.ts'), 'utf8')
    .replaceAll('../../../src/formats/', '../')
    .replaceAll('../../../src/', '../../');
  mkdirSync(join(checkout, 'src/formats/flat'));
  writeFileSync(join(checkout, 'src/formats/flat/format.ts'), format);
  const table = join(checkout, 'src/formats/formats.ts');
  const text = readFileSync(table, 'utf8');
  writeFileSync(
    table,
    `import { flat } from './flat/format.ts';\n${text.replace(', registry }', ', registry, flat }')}`,
  );
  await run(join(project, 'node_modules/.bin/rolldown'), ['-c', 'rolldown.config.js'], { cwd: checkout });
});
afterAll(() => folder.remove());

it('a format that is added by a folder and a line is written, read, checked, reported and explained', async () => {
  const [out, again, report] = [folder.file('flat'), folder.file('again'), folder.file('report')];
  const reports = ['--report', `${report}.json`, '--report', `${report}.html`];
  const written = await regtar('export', fixturePath, out, '--format', 'flat', ...reports);
  expect([written.code, written.stderr]).toEqual([0, expect.stringContaining('images')]);
  expect((await regtar('list', out)).stdout).toBe((await regtar('list', fixturePath)).stdout);
  expect((await regtar('export', out, again, '--format', 'flat')).code).toBe(0);
  expect(readFileSync(join(again, 'flat.txt'))).toEqual(readFileSync(join(out, 'flat.txt')));
  expect((await regtar('check', out, '--report', `${report}.json`)).code).toBe(0);
  expect(readFileSync(`${report}.html`, 'utf8')).toContain('flat folder');
  expect((await regtar('help', 'formats')).stdout).toMatch(/^ {2}flat +A folder of files called by their digests\.$/m);
  expect((await regtar('export', '--help')).stdout).toContain('"flat"');
  const refused = await regtar('export', fixturePath, again, '--format', 'flat', '--base', out);
  expect(refused.stderr).toContain('--base goes with --format oci and registry, not with flat');
  expect((await regtar('export', fixturePath, folder.file('x.tar'), '--format', 'flat')).stderr).toContain(
    'is a folder of images',
  );
});
