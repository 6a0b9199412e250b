import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layoutFile } from '../../src/formats/oci/index-file.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { bareEnvironment, program } from '../e2e/support/regtar.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { archive } from '../support/tar-builder.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

/** What Node may have for old objects in these runs, in MiB. */
const heapMiB = 128;
const childrenPerIndex = 26_000;
let folder: TemporaryFolder;

beforeAll(() => {
  folder = temporaryFolder();
  writeFileSync(folder.file('good.tar'), archive(buildStorage((s) => s.image('good', 'v1')).members()));
  // Each of these is as large as Distribution takes a manifest; nothing that they name is there.
  const indexes = buildStorage((s) => {
    s.image('good', 'v1');
    for (let index = 0; index < 8; index++) s.manifest('many', `v${index}`, absentChildren(index));
  });
  writeFileSync(folder.file('indexes.tar'), archive(indexes.members()));
  const tags = buildStorage((s) => {
    const { digest } = s.manifest('many', 'v0', absentChildren(0));
    for (let tag = 1; tag < 100; tag++) s.tag('many', `v${tag}`, digest);
  });
  writeFileSync(folder.file('tags.tar'), archive(tags.members()));
  const heavy = `[${'{},'.repeat(3_000_000)}{}]`;
  writeFileSync(folder.file('list.json'), heavy);
  writeFileSync(folder.file('report.json'), JSON.stringify(reportOf(400_000)));
  writeFileSync(folder.file('fits.json'), JSON.stringify(reportOf(100_000)));
  mkdirSync(folder.file('layout'));
  writeFileSync(join(folder.file('layout'), 'oci-layout'), layoutFile);
  writeFileSync(join(folder.file('layout'), 'index.json'), `{"schemaVersion":2,"manifests":${heavy}}`);
  const hex = '0'.repeat(64);
  const rows = Array.from({ length: 300_000 }, (_, row) => `team/app,tag-with-a-long-name-${row},sha256:${hex}\n`);
  writeFileSync(folder.file('tags.csv'), `repository,tag,digest\n${rows.join('')}`);
});
afterAll(() => folder.remove());

/** A report of images as short as they can be. */
function reportOf(count: number): unknown {
  const [started, none] = ['2026-11-26T00:00:00.000Z', { copied: 0, present: 0, mounted: 0, bytes: 0, spared: 0 }];
  const images = Array.from({ length: count }, (_, image) => ({
    ...{ repository: `team/app-${image}`, tag: 'v1', digest: digestOf(image) },
    arrived: { repository: `team/app-${image}`, tag: 'v1', digest: digestOf(image) },
    status: 'copied',
  }));
  return {
    ...{ kind: 'regtar report', version: 1, command: 'push', state: 'finished', started, images, sources: [] },
    versions: { regtar: '0.1.0', node: 'v20', system: 'linux' },
    target: { kind: 'registry', name: 'registry.example' },
    totals: { images: { copied: count, present: 0, skipped: 0, failed: 0, unfinished: 0 }, blobs: none },
  };
}

function digestOf(image: number): string {
  return `sha256:${image.toString(16).padStart(64, '0')}`;
}

function absentChildren(index: number): string {
  const manifests = Array.from({ length: childrenPerIndex }, (_, child) => ({
    mediaType: mediaTypes.ociManifest,
    digest: `sha256:${`${index}`.padStart(32, '0')}${child.toString(16).padStart(32, '0')}`,
    size: 5,
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

describe('what does not fit into the heap is an error with a name, and V8 does not end the program', () => {
  it.each<[string, string, (file: (name: string) => string) => string[]]>([
    ['inspect, indexes of many children', 'indexes.tar', (file) => ['inspect', file('indexes.tar')]],
    ['verify, the same', 'indexes.tar', (file) => ['verify', file('indexes.tar')]],
    ['a plan of them', 'indexes.tar', (file) => ['export', file('indexes.tar'), file('out.tar'), '--dry-run']],
    ['verify, many tags that lack the same', 'tags.tar', (file) => ['verify', file('tags.tar')]],
    ['the index of a layout', 'index.json', (file) => ['list', file('layout')]],
    ['a tag map of JSON', 'list.json', (file) => ['list', file('good.tar'), '--tag-map', file('list.json')]],
    ['a tag map of many rows', 'tags.csv', (file) => ['list', file('good.tar'), '--tag-map', file('tags.csv')]],
    ['a report', 'report.json', (file) => ['mirrors', '--for', 'table', '--report', file('report.json')]],
  ])('%s', async (_title, named, words) => {
    const { code, stderr } = await run(words((name) => folder.file(name)));
    expect(stderr).toMatch(/^regtar: MEMORY_FULL: .* takes more memory than the [0-9]+ MiB/m);
    expect(stderr).toMatch(new RegExp(`^regtar: MEMORY_FULL: \\S*${named}`, 'm'));
    expect(stderr).toMatch(/\nhint: .*--max-old-space-size=/);
    expect(code).toBe(1);
  });
});

it('a report is read image by image: it need not fit as a text, as JSON and as a report at once', async () => {
  const words = ['mirrors', '--for', 'table', '--report', folder.file('fits.json')];
  expect(await run(words)).toEqual({ code: 0, stderr: '' });
});

async function run(words: readonly string[]): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const child = spawn(process.execPath, [`--max-old-space-size=${heapMiB}`, program, ...words], {
    env: { ...process.env, ...bareEnvironment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const messages: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => void messages.push(chunk));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stderr: Buffer.concat(messages).toString() };
}
