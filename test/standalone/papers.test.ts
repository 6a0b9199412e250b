import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run.ts';
import { buildStandalone, executableName, executables, moduleName, standaloneFolder } from './support/standalone.ts';

interface Component {
  readonly type: string;
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses: readonly ({ readonly license: { readonly id: string } } | { readonly expression: string })[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly components?: readonly { readonly name: string; readonly version: string }[];
}

interface BillOfMaterials {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly version: number;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const project = join(import.meta.dirname, '../..');
const { dependencies } = readJson<{ dependencies: Record<string, string> }>(join(project, 'package.json'));
const locked = readJson<{
  packages: Record<string, { version: string; integrity?: string; license?: string; dev?: boolean }>;
}>(join(project, 'package-lock.json')).packages;

beforeAll(buildStandalone);

it('checksums hold for every file that lies there', async () => {
  await run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: standaloneFolder });
  const named = readFileSync(join(standaloneFolder, 'SHA256SUMS'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(66));
  expect(named.sort()).toEqual(
    readdirSync(standaloneFolder)
      .filter((name) => name !== 'SHA256SUMS' && !name.startsWith('.'))
      .sort(),
  );
});

describe.each([moduleName, ...executables])('the list of what is inside %s', (file) => {
  const list = (): BillOfMaterials => readJson(join(standaloneFolder, `${file}.cdx.json`));

  it('is CycloneDX 1.6 about that very file', () => {
    const { bomFormat, specVersion, serialNumber, version, metadata, components, dependencies: edges } = list();
    expect({ bomFormat, specVersion, version }).toEqual({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 });
    expect(serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(metadata.component.hashes).toEqual([
      {
        alg: 'SHA-256',
        content: createHash('sha256')
          .update(readFileSync(join(standaloneFolder, file)))
          .digest('hex'),
      },
    ]);
    const references = components.map((component) => component['bom-ref']);
    expect(new Set(references).size).toBe(references.length);
    expect(edges).toEqual([{ ref: metadata.component['bom-ref'], dependsOn: references }]);
  });

  it('names every dependency, and of each package what the lock file says', () => {
    const packages = list().components.filter(({ purl }) => purl.startsWith('pkg:npm/'));
    expect(packages.map(({ name }) => name)).toEqual(
      expect.arrayContaining([...Object.keys(dependencies), 'd3-hierarchy']),
    );
    for (const { type, name, version, purl, licenses, hashes } of packages) {
      const entry = Object.entries(locked).find(
        ([path, each]) => path.endsWith(`node_modules/${name}`) && each.version === version,
      )?.[1];
      expect(type).toBe('library');
      expect(purl).toBe(`pkg:npm/${encodeURIComponent(name).replace('%2F', '/')}@${version}`);
      expect(licenses.map((each) => ('license' in each ? each.license.id : each.expression))).toEqual([
        entry?.license?.replace(/^\((.*)\)$/, '$1'),
      ]);
      expect(hashes?.map(({ alg, content }) => `${alg} ${Buffer.from(content, 'hex').toString('base64')}`)).toEqual([
        entry?.integrity?.replace('sha512-', 'SHA-512 '),
      ]);
    }
  });

  it('names no tool that only builds or tests', () => {
    expect(
      list()
        .components.map(({ name }) => name)
        .filter((name) => ['rolldown', 'postject', 'vitest', 'typescript', 'eslint'].includes(name)),
    ).toEqual([]);
  });

  it('has the licence of each in full beside it', () => {
    const texts = readFileSync(join(standaloneFolder, 'LICENSES.txt'), 'utf8');
    for (const { name, version } of list().components)
      expect(texts).toContain(`${name === 'node' ? 'Node.js' : name} ${version} (`);
    expect(texts).toContain('Permission is hereby granted');
  });
});

it('Node and its parts are in the list of the executable alone', () => {
  const node = readJson<BillOfMaterials>(join(standaloneFolder, `${executableName}.cdx.json`)).components.find(
    ({ name }) => name === 'node',
  );
  expect(node?.version).toBe(process.versions.node);
  expect(node?.components).toEqual(
    expect.arrayContaining(
      ['openssl', 'v8', 'zlib'].map(
        (name) => expect.objectContaining({ name, version: process.versions[name] }) as unknown,
      ),
    ),
  );
  expect(
    readJson<BillOfMaterials>(join(standaloneFolder, `${moduleName}.cdx.json`)).components.map(({ name }) => name),
  ).not.toContain('node');
});

function readJson<Content>(path: string): Content {
  return JSON.parse(readFileSync(path, 'utf8')) as Content;
}
