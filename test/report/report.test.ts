import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/report/report.ts';
import { readReport } from '../../src/report/read-report.ts';
import { bareEnvironment, program, regtar } from '../e2e/support/regtar.ts';
import { watchWarnings } from '../support/node-warnings.ts';
import { fixturePath } from '../support/fixture.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { openBrowser, type Browser } from '../support/open-browser.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const reportOf = (name: string): Report => readReport(readFileSync(folder.file(name), 'utf8'), name);
const sumOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('the report of an export', () => {
  it('names source, SHA-256, versions, target, and every image with digest, platforms, place and times', async () => {
    const { code, stdout } = await regtar([
      'export',
      fixturePath,
      folder.file('layout'),
      '--report',
      folder.file('export.json'),
      '--json',
    ]);
    const report = reportOf('export.json');
    const { images } = JSON.parse(stdout) as {
      images: { repository: string; tag?: string; digest: string; target: string; status: string }[];
    };
    expect(code).toBe(0);
    expect(report).toMatchObject({
      command: 'export',
      state: 'finished',
      target: { kind: 'oci', name: folder.file('layout') },
      versions: { node: process.versions.node },
    });
    expect(report.sources).toEqual([{ name: fixturePath, format: 'tar', bytes: 716_800, sha256: sumOf(fixturePath) }]);
    expect(
      report.images.map(({ repository, tag, digest, target, status }) => ({
        repository,
        ...(tag !== undefined && { tag }),
        digest,
        target,
        status,
      })),
    ).toEqual(images);
    const multi = report.images.find(({ repository, tag }) => repository === 'tools/multi' && tag !== undefined);
    expect(multi).toMatchObject({
      platforms: ['linux/amd64', 'linux/arm64/v8'],
      arrived: { repository: 'tools/multi', digest: multi?.digest },
    });
    for (const { started, ended } of report.images)
      expect(Date.parse(ended ?? '')).toBeGreaterThanOrEqual(Date.parse(started ?? ''));
    expect(report.totals.images).toEqual({ copied: images.length, present: 0, skipped: 0, failed: 0, unfinished: 0 });
  });

  it('is written as JSON and as a page that carries the same', async () => {
    await regtar([
      'export',
      fixturePath,
      folder.file('twice'),
      '--report',
      folder.file('twice.json'),
      '--report',
      folder.file('twice.html'),
    ]);
    expect(reportOf('twice.html')).toEqual(reportOf('twice.json'));
    // As some editors save a page.
    const marked = Buffer.concat([Buffer.from('\ufeff\n'), readFileSync(folder.file('twice.html'))]);
    expect(readReport(marked, 'marked.html')).toEqual(reportOf('twice.json'));
  });

  it('hashes standard input while it passes, parts as the whole that they are, and no folder', async () => {
    const bytes = readFileSync(fixturePath);
    await regtar(['export', '-', folder.file('piped'), '--report', folder.file('piped.json')], { input: bytes });
    expect(reportOf('piped.json').sources).toEqual([
      { name: 'standard input', format: 'tar', sha256: sumOf(fixturePath) },
    ]);
    writeFileSync(folder.file('docker.tar.aa'), bytes.subarray(0, 300_000));
    writeFileSync(folder.file('docker.tar.ab'), bytes.subarray(300_000));
    await regtar([
      'export',
      folder.file('docker.tar.aa'),
      folder.file('joined'),
      '--report',
      folder.file('joined.json'),
    ]);
    expect(reportOf('joined.json').sources).toMatchObject([{ bytes: bytes.length, sha256: sumOf(fixturePath) }]);
    await run('mkdir', [folder.file('unpacked')]);
    await run('tar', ['-xf', fixturePath, '-C', folder.file('unpacked')]);
    await regtar(['export', folder.file('unpacked'), folder.file('copied'), '--report', folder.file('copied.json')]);
    expect(reportOf('copied.json').sources).toEqual([{ name: folder.file('unpacked'), format: 'directory' }]);
    await regtar([
      'export',
      fixturePath,
      folder.file('unsummed'),
      '--no-source-hash',
      '--report',
      folder.file('unsummed.json'),
    ]);
    expect(reportOf('unsummed.json').sources).toEqual([{ name: fixturePath, format: 'tar', bytes: bytes.length }]);
  });

  it('says which image failed and why, and what was reduced', async () => {
    const { tar } = buildStorage((s) => {
      s.loseBlob(s.image('team/broken', 'v1', { layers: ['lost'] }).blobs[1]?.digest ?? ('' as never));
      s.index('team/multi', 'v1', [
        { platform: 'linux/amd64' },
        { platform: 'linux/arm64' },
        { platform: 'linux/s390x' },
      ]);
    });
    writeFileSync(folder.file('broken.tar'), tar());
    const { code } = await regtar([
      'export',
      folder.file('broken.tar'),
      folder.file('part'),
      '--platform',
      'linux/amd64',
      '--platform',
      'linux/arm64',
      '--report',
      folder.file('part.json'),
    ]);
    const report = reportOf('part.json');
    expect(code).toBe(3);
    expect(report.totals.images).toMatchObject({ copied: 1, failed: 1 });
    const [multi] = report.images.filter(({ status }) => status === 'copied');
    expect(multi?.arrived?.digest).not.toBe(multi?.digest);
    expect(report.images.find(({ status }) => status === 'failed')).toMatchObject({
      repository: 'team/broken',
      tag: 'v1',
      error: { code: 'BLOB_MISSING' },
    });
  });

  it('is refused before anything is written where it cannot be written itself', async () => {
    const { code, stderr } = await regtar([
      'export',
      fixturePath,
      folder.file('never'),
      '--report',
      folder.file('gone', 'x.json'),
    ]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(`OUTPUT_UNWRITABLE: ${folder.file('gone', 'x.json')} cannot be written`),
    ]);
    expect(stderr).toContain('hint: make the folder, or name another file');
    expect(existsSync(folder.file('never'))).toBe(false);
  });

  it('does not go with --dry-run, which does nothing that a report could say', async () => {
    expect(
      await regtar(['export', fixturePath, folder.file('dry'), '--dry-run', '--report', folder.file('dry.json')]),
    ).toMatchObject({ code: 2 });
    expect(existsSync(folder.file('dry.json'))).toBe(false);
  });
});

describe('what is not a report', () => {
  it.each([
    ['', 'neither JSON nor a page'],
    ['{"images":[]}', 'kind'],
    ['<!doctype html><p>hello', 'neither JSON nor a page'],
    ['{"kind":"regtar report","version":2}', 'version'],
    ['[1]', 'kind'],
  ])('%j is refused with what is wrong', (content, reason) => {
    expect(() => readReport(content, 'x.json')).toThrow(
      expect.objectContaining({ code: 'REPORT_INVALID', message: expect.stringContaining(reason) as string }),
    );
  });
});

describeWith('docker-registry', 'the report of a push', () => {
  let registry: Registry;
  const account = { username: 'ops', password: 'marked-S3cret' };
  beforeAll(async () => void (registry = await startRegistry({ htpasswd: account })));
  afterAll(() => registry.stop());

  it('says where everything went, and no password', async () => {
    const { code } = await regtar(
      [
        'push',
        fixturePath,
        `${registry.host}/migrated`,
        '--username',
        account.username,
        '--password-stdin',
        '--report',
        folder.file('push.json'),
        '--report',
        folder.file('push.html'),
      ],
      { input: account.password },
    );
    const report = reportOf('push.json');
    expect(code).toBe(0);
    expect(report).toMatchObject({
      command: 'push',
      target: { kind: 'registry', name: registry.host, path: 'migrated' },
    });
    expect(report.images.find(({ repository, tag }) => repository === 'base' && tag === '1')).toMatchObject({
      target: `${registry.host}/migrated/base:1`,
      arrived: { repository: 'migrated/base', tag: '1' },
    });
    for (const name of ['push.json', 'push.html'])
      expect(readFileSync(folder.file(name), 'utf8')).not.toContain(account.password);
  });

  it('is there while the run lasts, and after Ctrl-C says what was finished', async () => {
    const backup = generateBackup({ images: 150, repositories: 30, bytes: 30_000_000 }, folder.path).file;
    const child = spawn(
      process.execPath,
      [
        program,
        'push',
        backup,
        `${registry.host}/cut`,
        '--jobs',
        '1',
        '--username',
        account.username,
        '--password-stdin',
        '--report',
        folder.file('cut.json'),
        '--events',
        'jsonl',
      ],
      { env: { ...process.env, ...bareEnvironment }, stdio: ['pipe', 'ignore', 'pipe'] },
    );
    watchWarnings(child, 'regtar push');
    child.stdin.end(account.password);
    let seen = '';
    let during: Report | undefined;
    child.stderr.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (during === undefined && (seen.match(/"event":"image",/g)?.length ?? 0) >= 5) {
        during = reportOf('cut.json');
        child.kill('SIGINT');
      }
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    const report = reportOf('cut.json');
    expect(code).toBe(130);
    expect(during).toMatchObject({ state: 'running', totals: { images: { unfinished: 150 } } });
    expect(report).toMatchObject({ state: 'interrupted', error: { code: 'INTERRUPTED' } });
    expect(report.totals.images.copied).toBeGreaterThanOrEqual(5);
    expect(report.totals.images.unfinished).toBeGreaterThan(0);
    expect(report.totals.images.copied + report.totals.images.unfinished).toBe(150);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('cut.json'))).toEqual(['cut.json']);
  });
});

describeWith('chromium', 'the report as a page', () => {
  let browser: Browser;
  beforeAll(() => void (browser = openBrowser()));
  afterAll(() => browser.close());

  it('asks for nothing, shows every image with its status, and escapes what was in names and messages', async () => {
    const attack = '<img src=x onerror="document.title=1">';
    await regtar(['export', fixturePath, folder.file('shown'), '--report', folder.file('shown.json')]);
    const { reportPage } = await import('../../src/report/report-page.ts');
    const { renderPage } = await import('../../src/report/page/render-page.ts');
    const report = reportOf('shown.json');
    const hostile: Report = {
      ...report,
      sources: [{ name: attack, format: attack }],
      target: { kind: 'oci', name: attack },
      images: [
        ...report.images,
        { repository: attack, status: 'failed', error: { code: attack, message: attack, hint: attack } },
      ],
    };
    writeFileSync(folder.file('hostile.html'), renderPage(reportPage(hostile)));
    const page = await browser.open(pathToFileURL(folder.file('hostile.html')).href, { width: 400, dark: true });
    expect(await page.evaluate('document.querySelectorAll("#images tbody tr").length')).toBe(report.images.length + 1);
    expect(await page.evaluate('document.querySelectorAll("#problems tbody tr").length')).toBe(1);
    expect(await page.evaluate('document.querySelectorAll("img").length')).toBe(0);
    expect(await page.evaluate('document.title')).toBe(`Export to ${attack}`);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
    expect(page.requests).toHaveLength(1);
    expect(page.complaints).toEqual([]);
    expect(readReport(readFileSync(folder.file('hostile.html'), 'utf8'), 'hostile.html')).toEqual(hostile);
  });
});
