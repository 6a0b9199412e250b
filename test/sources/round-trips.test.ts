import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { copyImages } from '../../src/copy/copy-images.ts';
import { openFileSink } from '../../src/formats/open-file-sink.ts';
import { formatNames, type Format } from '../../src/formats/formats.ts';
import { readSource } from '../../src/formats/read-source.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { openSource } from '../../src/source/open-source.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
let outputs = 0;

/** What a person may have in a registry. */
const things = fc.constantFrom('image', 'index', 'nested', 'artifact', 'signed', 'referred', 'untagged', 'docker');
// Names that other tools would take for a registry's stay as they are.
const repositories = fc.constantFrom(
  'web',
  'team/app',
  'team',
  'a/b/c/d',
  'k8s.gcr.io/pause',
  'localhost/x',
  'con/aux',
);
const tags = fc.constantFrom('1', 'v1.0', 'Latest', 'latest', 'x.', '_u');
const contents = fc.uniqueArray(fc.record({ thing: things, repository: repositories, tag: tags }), {
  minLength: 1,
  maxLength: 6,
  selector: ({ repository, tag }) => `${repository}:${tag}`,
});
type Contents = readonly { readonly thing: string; readonly repository: string; readonly tag: string }[];

function tarOf(list: Contents): Buffer {
  return buildStorage((s) => {
    for (const { thing, repository, tag } of list) {
      const children = [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }];
      if (thing === 'index') s.index(repository, tag, children);
      else if (thing === 'nested') s.index(repository, tag, [s.index(repository, undefined, children)]);
      else if (thing === 'artifact') s.artifact(repository, tag, {});
      else {
        const format = thing === 'docker' ? 'docker' : 'oci';
        const image = s.image(repository, tag, { format, layers: ['base', `${repository}:${tag}`] });
        if (thing === 'signed') s.signature(image);
        if (thing === 'referred') s.artifact(repository, undefined, { subject: image });
        if (thing === 'untagged') s.image(repository, undefined, { layers: ['base', `old ${repository}`] });
      }
    }
  }).tar();
}

async function exportTo(source: string, format: Format, ending = ''): Promise<string> {
  const out = folder.file(`${format}-${++outputs}${ending}`);
  const backup = await openSource([source], { spoolFolder: folder.path });
  try {
    const { catalog, store } = await readSource(backup);
    const sink = await openFileSink(format, { out });
    const plan = createPlan(catalog, store, {
      filter: createFilter({}),
      rename: createRenamer({}),
      traits: sink.traits,
      untagged: true,
      ...(!sink.traits.indexes && { platforms: [parsePlatform('linux/amd64')] }),
    });
    const report = await copyImages(plan, store, sink, { jobs: 2 });
    const failed = report.images.filter(({ status }) => status === 'failed');
    if (failed.length > 0) throw new Error(failed.map(({ error }) => error?.message).join('\n'));
    return out;
  } finally {
    await backup.close();
  }
}

function bytesOf(path: string): Readonly<Record<string, string>> {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return {};
  if (statSync(path).isFile()) return { '': readFileSync(path).toString('base64') };
  return Object.fromEntries(
    readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(path, name)).isFile())
      .sort()
      .map((name) => [name, readFileSync(join(path, name)).toString('base64')]),
  );
}

/** Every form that a format is written in. */
const forms = formatNames.flatMap((format): readonly (readonly [Format, string])[] =>
  format === 'dir'
    ? [[format, '']]
    : format === 'docker-archive'
      ? [[format, '.tar']]
      : [
          [format, ''],
          [format, '.tar'],
        ],
);

it.each(forms)('%s%s, read back and written again, has the same bytes', async (format, ending) => {
  await fc.assert(
    fc.asyncProperty(contents, async (list) => {
      const tar = folder.file(`source-${++outputs}.tar`);
      writeFileSync(tar, tarOf(list));
      const first = await exportTo(tar, format, ending);
      // A docker-archive may hold none of it.
      if (Object.keys(bytesOf(first)).length === 0) return;
      expect(bytesOf(await exportTo(first, format, ending))).toEqual(bytesOf(first));
    }),
    { numRuns: 8 },
  );
});

it('a layout is the same whether it comes from the tar, or by way of any format that can hold everything', async () => {
  await fc.assert(
    fc.asyncProperty(contents, async (list) => {
      const tar = folder.file(`source-${++outputs}.tar`);
      writeFileSync(tar, tarOf(list));
      const direct = bytesOf(await exportTo(tar, 'oci'));
      for (const [format, ending] of forms.filter(([name]) => name !== 'docker-archive'))
        expect(bytesOf(await exportTo(await exportTo(tar, format, ending), 'oci'))).toEqual(direct);
    }),
    { numRuns: 8 },
  );
});

it('a compressed archive and split parts are what the archive is', async () => {
  const tar = folder.file('whole.tar');
  writeFileSync(
    tar,
    tarOf([
      { thing: 'index', repository: 'web', tag: '1' },
      { thing: 'signed', repository: 'team/app', tag: '1' },
    ]),
  );
  for (const format of ['oci', 'docker-archive'] as const) {
    const whole = await exportTo(tar, format, '.tar');
    const bytes = readFileSync(whole);
    writeFileSync(folder.file(`${format}.gz`), gzipSync(bytes));
    mkdirSync(folder.file(`parts-${format}`));
    const parts = folder.file(`parts-${format}/images.tar`);
    const half = Math.floor(bytes.length / 1024) * 512 + 100;
    writeFileSync(`${parts}.aa`, bytes.subarray(0, half));
    writeFileSync(`${parts}.ab`, bytes.subarray(half));
    for (const source of [folder.file(`${format}.gz`), `${parts}.aa`])
      expect(bytesOf(await exportTo(source, format, '.tar'))).toEqual(bytesOf(whole));
  }
});
