import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareEnvironment } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const project = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
const checkout = folder.file('checkout');
const installed = folder.file('installed');
let files: readonly string[];
let tarball: string;

/** Packs what a clean checkout has, which `prepack` builds, and installs that as people do: without scripts. */
beforeAll(async () => {
  const tracked = (
    await run('git', ['ls-files', '-z', 'src', 'bin', 'scripts', '*.json', '*.config.js', 'LICENSE', '*.md'], {
      cwd: project,
    })
  ).stdout
    .split('\0')
    .filter((path) => path !== '' && !path.startsWith('test'));
  for (const path of tracked) {
    mkdirSync(dirname(join(checkout, path)), { recursive: true });
    cpSync(join(project, path), join(checkout, path));
  }
  symlinkSync(join(project, 'node_modules'), join(checkout, 'node_modules'));
  // Something that is left from an earlier build must not be shipped.
  mkdirSync(join(checkout, 'dist/chunks'), { recursive: true });
  writeFileSync(join(checkout, 'dist/chunks/stale.js'), '');
  const [packed] = JSON.parse(
    (await run('npm', ['pack', '--json', '--pack-destination', folder.path], { cwd: checkout })).stdout.replace(
      /^[^[]*(?=\[\n)/,
      '',
    ),
  ) as [{ readonly filename: string; readonly files: readonly { readonly path: string }[] }];
  files = packed.files.map(({ path }) => path);
  tarball = folder.file(packed.filename);
  mkdirSync(installed);
  writeFileSync(join(installed, 'package.json'), '{"private": true, "type": "module"}');
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball], {
    cwd: installed,
  });
});
afterAll(() => folder.remove());

describe('the package', () => {
  it('holds what runs, its types, its manual and its papers, and nothing that builds or tests it', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'bin/regtar.js',
        'dist/main.js',
        'dist/index.js',
        'dist/types/index.d.ts',
        'dist/regtar.1',
        'dist/THIRD-PARTY.txt',
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'package.json',
      ]),
    );
    expect(files.filter((path) => !/^(bin\/regtar\.js|dist\/.*|LICENSE|[A-Z]+\.md|package\.json)$/.test(path))).toEqual(
      [],
    );
    expect(files).not.toContain('dist/chunks/stale.js');
  });

  it('runs from an installation without scripts', async () => {
    const regtar = join(installed, 'node_modules/.bin/regtar');
    const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string };
    expect((await run(regtar, ['--version'], { env: bareEnvironment })).stdout).toBe(`${version}\n`);
    expect((await run(regtar, ['list', fixturePath], { env: bareEnvironment })).stdout).toContain('tools/multi:1.0\n');
  });

  it('brings its manual where it is installed for everybody', async () => {
    const prefix = folder.file('global');
    await run('npm', [
      ...['install', '--global', '--prefix', prefix, '--ignore-scripts', '--no-audit', '--no-fund'],
      ...['--prefer-offline', tarball],
    ]);
    expect(readFileSync(join(prefix, 'share/man/man1/regtar.1'), 'utf8')).toBe(
      readFileSync(join(project, 'dist/regtar.1'), 'utf8'),
    );
  });

  it('none of what it needs has an install script', () => {
    const lock = JSON.parse(readFileSync(join(installed, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    expect(Object.keys(lock.packages).length).toBeGreaterThan(10);
    expect(Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([]);
  });

  it('is a library whose types resolve, for both ways of resolving', async () => {
    writeFileSync(
      join(installed, 'use.ts'),
      "import { openSource, readCatalog, type Catalog } from 'regtar';\nconst backup = await openSource(['docker.tar']);\nexport const catalog: Catalog = await readCatalog(backup);\n",
    );
    for (const module of ['nodenext', 'preserve']) {
      await run(
        process.execPath,
        [
          join(project, 'node_modules/typescript/bin/tsc'),
          '--noEmit',
          '--strict',
          '--skipLibCheck',
          '--target',
          'es2023',
          '--module',
          module,
          '--moduleResolution',
          module === 'preserve' ? 'bundler' : module,
          '--typeRoots',
          join(project, 'node_modules/@types'),
          '--types',
          'node',
          'use.ts',
        ],
        { cwd: installed },
      );
    }
    const { stdout } = await run(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        "import { openSource, readCatalog } from 'regtar'; const backup = await openSource([process.argv[1]]); console.log([...(await readCatalog(backup)).repositories()].length); await backup.close();",
        fixturePath,
      ],
      { cwd: installed },
    );
    expect(Number(stdout)).toBeGreaterThan(5);
  });

  it('publint has nothing to say', async () => {
    const { stdout } = await run(
      process.execPath,
      [join(project, 'node_modules/publint/src/cli.js'), '--strict', checkout, '--pack', 'false'],
      { allowFailure: true },
    );
    expect(stdout).toContain('All good!');
  });
});
