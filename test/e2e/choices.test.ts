import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServe } from '../serve/support/start-serve.ts';
import type { WhatIf } from '../../src/select/what-if.ts';
import { fixturePath } from '../support/fixture.ts';
import { withPushTimes } from '../support/push-times.ts';
import { describeWith } from '../support/peers.ts';
import { listRegistry } from '../support/read-registry.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { regtar, regtarDone, regtarJson } from './support/regtar.ts';

let folder: TemporaryFolder;
let source: string;
beforeAll(() => {
  folder = temporaryFolder();
  source = folder.file('docker.tar');
  const built = buildStorage((s) => {
    for (const tag of ['1.0', '1.1', '1.2', '2.0']) s.image('team/app', tag, { layers: [tag] });
    s.signature(s.image('team/tool', 'v3', { layers: ['tool'] }));
  });
  const times = { 'team/app:1.0': 1, 'team/app:2.0': 2, 'team/app:1.2': 3, 'team/app:1.1': 4, 'team/tool:v3': 2 };
  writeFileSync(
    source,
    built.tar(
      withPushTimes(
        Object.fromEntries(Object.entries(times).map(([name, days]) => [name, Date.UTC(2026, 9, days, 12) / 1000])),
      ),
    ),
  );
});
afterAll(() => folder.remove());

const lines = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/sha256-[0-9a-f]+/, 'sha256-…'));

describe('every command that takes images takes the same ones', () => {
  const choice = ['--newest', '2', '--semver', '>=1.1'];
  const expected = ['team/app:1.1', 'team/app:1.2', 'team/tool:sha256-….sig', 'team/tool:v3'];

  it('list, with the clock on standard error', async () => {
    const { stdout, stderr } = await regtarDone(['list', source, ...choice]);
    expect(lines(stdout)).toEqual(expected);
    expect(stderr).toBe('note: chosen by version range >=1.1 and push time (2026-10-01 to 2026-10-04): 3 of 5 tags\n');
  });

  it('export', async () => {
    const report = await regtarJson<{ images: { repository: string; tag: string }[] }>([
      'export',
      source,
      folder.file('out.tar'),
      ...choice,
    ]);
    expect(report.images.map(({ repository, tag }) => lines(`${repository}:${tag}`)[0]).sort()).toEqual(expected);
  });

  it('serve', async () => {
    const server = await startServe([source, ...choice]);
    try {
      const tags = (await (await fetch(`${server.url}/v2/team/app/tags/list`)).json()) as { tags: string[] };
      expect(tags.tags).toEqual(['1.1', '1.2']);
    } finally {
      await server.process.stop();
    }
  });

  it('verify', async () => {
    const report = await regtarJson<{ images: { whole: number } }>(['verify', source, ...choice]);
    expect(report.images.whole).toBe(4);
  });

  it('diff: what was not chosen is not gone', async () => {
    expect((await regtarDone(['diff', fixturePath, source, '--include', 'team/app', '--newest', '1'])).stdout).toMatch(
      /^\+ team\/app:1\.1\n1 image new, 0 changed, 0 gone/,
    );
    expect((await regtarDone(['diff', source, source, '--newest', '1'])).stdout).toMatch(
      /^0 images new, 0 changed, 0 gone, 3 unchanged/,
    );
  });

  it('inspect: what would stay and what would go', async () => {
    const whole = await regtarJson<{ blobs: number; bytes: { blobs: number } }>(['inspect', source]);
    const { stays, goes, repositories } = await regtarJson<WhatIf>(['inspect', source, ...choice]);
    expect([stays.tags, goes.tags]).toEqual([4, 2]);
    expect([stays.blobs + goes.blobs, stays.bytes + goes.bytes]).toEqual([whole.blobs, whole.bytes.blobs]);
    expect(repositories.map(({ repository, tags }) => [repository, tags])).toEqual([
      ['team/app', { stay: 2, go: 2 }],
      ['team/tool', { stay: 2, go: 0 }],
    ]);
    const { stdout } = await regtarDone(['inspect', source, ...choice]);
    expect(stdout).toMatch(/\(4 tags, \d+ blobs\) would stay, .* \(2 tags, \d+ blobs\) would go\n/);
    expect((await regtarDone(['inspect', source, '--unreferenced'])).stdout).toMatch(/^unreferenced +0 blobs, 0 B/m);
    expect((await regtar(['inspect', source, '--unreferenced', '--newest', '1'])).code).toBe(2);
  });

  it('push and load say before anything is asked what cannot be', async () => {
    for (const [args, words] of [
      [['push', source, '127.0.0.1:1', '--by', 'created'], /--by says what --newest, --since and --until go by/],
      [['load', source, '--since', '3d', '--by', 'version'], /--by version has none/],
      [['export', source, folder.file('x'), '--newest', '1', '--untagged'], /--untagged does not go with --newest/],
      [['list', source, '--since', '2026-02-30'], /a day such as 2026-11-01/],
    ] as const) {
      const { code, stderr } = await regtar(args);
      expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
    }
  });
});

describeWith('docker-registry', 'and so does push', () => {
  it('with what refers to them', async () => {
    const registry = await startRegistry();
    try {
      await regtarDone(['push', source, registry.host, '--newest', '1']);
      const names = (await listRegistry(registry)).map(({ repository, tag }) => lines(`${repository}:${tag}`)[0]);
      expect(names.sort()).toEqual(['team/app:1.1', 'team/tool:sha256-….sig', 'team/tool:v3']);
    } finally {
      await registry.stop();
    }
  });
});

describe('a source without push times', () => {
  it('says so, and can go by another clock', async () => {
    const layout = folder.file('layout');
    await regtarDone(['export', source, layout]);
    const { code, stderr } = await regtar(['list', layout, '--newest', '1']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/TIMES_UNUSABLE: this source keeps no push times/)]);
    expect(lines((await regtarDone(['list', layout, '--newest', '1', '--by', 'version'])).stdout)).toEqual([
      'team/app:2.0',
      'team/tool:sha256-….sig',
      'team/tool:v3',
    ]);
  });
});

describe('days are local and whole', () => {
  it.each([
    [['--since', '2026-10-03'], 'Europe/Berlin', ['team/app:1.1', 'team/app:1.2']],
    [['--until', '2026-10-01'], 'Europe/Berlin', ['team/app:1.0']],
    // Noon of Greenwich is 02:00 of the next day there.
    [['--until', '2026-10-01', '--include', 'team/app'], 'Pacific/Kiritimati', []],
    [['--since', '2026-10-04T14:00+02:00'], 'UTC', ['team/app:1.1']],
    [['--since', '2026-10-04T12:00:01Z'], 'UTC', []],
  ])('%j in %s', async (args, zone, expected) => {
    const { stdout } = await regtarDone(['list', source, ...args], { env: { TZ: zone } });
    expect(stdout === '' ? [] : lines(stdout)).toEqual(expected);
  });
});

describe('a selection explains itself', () => {
  it('a glob that stays within one component', async () => {
    const { code, stderr } = await regtar(['export', fixturePath, folder.file('none'), '--include', 'team/*']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/NOTHING_SELECTED.*\nhint: .*'team\/\*\*' matches \d+ images/),
    ]);
  });

  it('a copy without times', async () => {
    const { code, stderr } = await regtar(['list', fixturePath, '--newest', '1']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^regtar: TIMES_UNUSABLE: all \d+ tags have the same/)]);
  });

  it('names as other tools print them, and the nearest of those that are not there', async () => {
    const input = 'registry.example:5000/team/app:1.0\ndocker://harbor.example/team/tool:v3\nteam/ap:1.0\n';
    const { stdout, stderr } = await regtarDone(['list', source, '--images', '-'], { input });
    expect(lines(stdout)).toEqual(['team/app:1.0', 'team/tool:v3']);
    expect(stderr).toMatch(/TAG_UNKNOWN: team\/ap:1\.0 is not in the backup\nhint: similar names: team\/app:1\.0/);
  });
});
