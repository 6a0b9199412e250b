import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import type { CheckReport } from '../../src/check/contract.ts';
import type { Report } from '../../src/report/report.ts';
import { regtar, regtarJson } from '../e2e/support/regtar.ts';
import { startHarborDouble } from '../harbor/double/start.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { readLayout } from '../support/read-layout.ts';
import { describeWith } from '../support/peers.ts';
import { listRegistry } from '../support/read-registry.ts';
import { startRegistry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { push, statuses } from './support/regtar.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Bases that nearly every repository shares, the bytes that shards could send twice. */
const backup = (): string =>
  generateBackup(
    { name: 'shards', images: 90, repositories: 18, bytes: 50_000_000, baseImages: 3, multiArchRatio: 0.15 },
    folder.path,
  ).file;
const three = [1, 2, 3] as const;
const reportOf = (name: string): Report => JSON.parse(readFileSync(folder.file(name), 'utf8')) as Report;

describeWith('docker-registry', 'three processes push into one registry', () => {
  it('together bring what one brings: the same tags and digests, hardly a byte twice', async () => {
    const registry = await startRegistry({ accessLog: true });
    onTestFinished(() => registry.stop());
    const file = backup();
    const alone = await push(file, `${registry.host}/alone`);
    const shards = await Promise.all(
      three.map((index) =>
        push(file, `${registry.host}/together`, {
          args: ['--shard', `${index}/3`, '--report', folder.file(`${index}.json`)],
        }),
      ),
    );
    expect(shards.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(shards.every((each) => (statuses(each)['copied'] ?? 0) > 10)).toBe(true);

    const tags = await listRegistry(registry);
    const beneath = (path: string): string[] =>
      tags
        .filter(({ repository }) => repository.startsWith(`${path}/`))
        .map(({ repository, tag, digest }) => `${repository.slice(path.length)}:${tag} ${digest}`);
    expect(beneath('together')).toEqual(beneath('alone'));
    expect(beneath('together')).toHaveLength(90);

    // Small blobs may go twice: asking costs more than they do. The bases are big.
    const sent = shards.reduce((sum, { report }) => sum + report.blobs.bytes, 0);
    expect(sent / alone.report.blobs.bytes).toBeLessThan(1.1);
    // A small blob that went twice was not mounted; how many do depends on which process is quicker.
    expect(shards.reduce((sum, { report }) => sum + report.blobs.mounted, 0)).toBeGreaterThan(
      alone.report.blobs.mounted / 2,
    );
    // One of them has looked at the source's bytes.
    expect(three.map((index) => reportOf(`${index}.json`).sources[0]?.sha256 !== undefined)).toEqual([
      true,
      false,
      false,
    ]);

    const merged = await regtar([
      'report',
      'merge',
      ...three.map((index) => folder.file(`${index}.json`)),
      '-o',
      folder.file('all.json'),
      '-o',
      folder.file('all.html'),
    ]);
    expect(merged).toMatchObject({ code: 0, stderr: '90 images arrived\n' });
    const report = reportOf('all.json');
    expect(report).toMatchObject({
      state: 'finished',
      shards: { count: 3, missing: [] },
      totals: { images: { copied: 90, unfinished: 0 }, blobs: { bytes: sent } },
    });
    expect(report.sources[0]?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(
      report.images
        .map(
          ({ arrived }) =>
            `${arrived?.repository.slice('together'.length) ?? ''}:${arrived?.tag ?? ''} ${arrived?.digest ?? ''}`,
        )
        .sort(),
    ).toEqual(beneath('together').sort());
    const { images } = await regtarJson<CheckReport>(['check', registry.host, '--report', folder.file('all.html')]);
    expect(images).toMatchObject({ checked: 90, same: 90 });
  });

  it('a part that runs alone waits for nobody for long, and a later one mounts what is there', async () => {
    const registry = await startRegistry();
    onTestFinished(() => registry.stop());
    const file = backup();
    const sent: number[] = [];
    for (const index of three) {
      const { code, report } = await push(file, registry.host, {
        run: { env: { JOB_COMPLETION_INDEX: String(index - 1) } },
        args: ['--shard', '3'],
      });
      expect(code).toBe(0);
      sent.push(report.blobs.bytes);
    }
    expect(await listRegistry(registry)).toHaveLength(90);
    const alone = await push(file, `${registry.host}/alone`);
    expect(sent.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThanOrEqual(alone.report.blobs.bytes * 0.99);
  });

  it('may all find a Harbor without the projects that they share', async () => {
    const harbor = await startHarborDouble();
    onTestFinished(() => harbor.stop());
    const shards = await Promise.all(
      three.map((index) =>
        push(backup(), `${harbor.host}/migrated`, { account: harbor.admin, args: ['--shard', `${index}/3`] }),
      ),
    );
    expect(shards.map(({ code, stderr }) => [code, stderr.match(/regtar: .*/g)])).toEqual(three.map(() => [0, null]));
    expect(shards.flatMap(({ report }) => report.images).filter(({ status }) => status === 'copied')).toHaveLength(90);
  });
});

describe('parts of an export', () => {
  it('are whole outputs that together hold every image once', async () => {
    const file = backup();
    for (const index of three)
      await regtar([
        'export',
        file,
        folder.file(`part-${index}`),
        '--shard',
        `${index}/3`,
        '--report',
        folder.file(`part-${index}.json`),
      ]);
    await regtar(['export', file, folder.file('whole')]);
    const names = (
      entries: readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[],
    ): string[] =>
      entries.map(({ digest, annotations }) => `${annotations?.['org.opencontainers.image.ref.name'] ?? ''} ${digest}`);
    const parts = await Promise.all(three.map((index) => readLayout(folder.file(`part-${index}`))));
    expect(parts.flatMap(({ entries }) => names(entries)).sort()).toEqual(
      names((await readLayout(folder.file('whole'))).entries).sort(),
    );
    for (const index of three)
      expect(
        (
          await regtarJson<CheckReport>([
            'check',
            folder.file(`part-${index}`),
            '--report',
            folder.file(`part-${index}.json`),
            '--deep',
          ])
        ).images.same,
      ).toBeGreaterThan(10);
  });

  it('a missing part, and one that is of something else, are told when reports are merged', async () => {
    const parts = three.map((index) => folder.file(`part-${index}.json`));
    const missing = await regtar(['report', 'merge', parts[0] ?? '', parts[2] ?? '']);
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining('no report of shard 2 of 3') as string });
    expect((JSON.parse(missing.stdout) as Report).shards).toEqual({ count: 3, missing: [2] });
    const whole = await regtar(['report', 'merge', ...parts, folder.file('1.json')]);
    expect(whole).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('REPORT_INVALID: these reports do not belong together') as string,
    });
  });

  it('a run that was interrupted and the one that finished it become one report', async () => {
    const first = reportOf('part-1.json');
    const [image] = first.images;
    const interrupted: Report = {
      ...first,
      state: 'interrupted',
      images: first.images.map((each) => (each === image ? { ...each, status: 'unfinished' } : each)),
    };
    writeFileSync(
      folder.file('earlier.json'),
      JSON.stringify({ ...interrupted, started: '2020-01-01T00:00:00.000Z', ended: '2020-01-01T00:01:00.000Z' }),
    );
    const { stdout, code } = await regtar([
      'report',
      'merge',
      folder.file('earlier.json'),
      ...three.map((index) => folder.file(`part-${index}.json`)),
    ]);
    expect([
      code,
      (JSON.parse(stdout) as Report).totals.images.unfinished,
      (JSON.parse(stdout) as Report).state,
    ]).toEqual([0, 0, 'finished']);
  });
});
