import { closeSync, copyFileSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allDigests, tagDigests } from '../e2e/support/expected-images.ts';
import { digestsOf, layoutImages } from '../e2e/support/read-outputs.ts';
import { nameOf, type CopyReport, type Listed } from '../e2e/support/reports.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { generateBackup, type GeneratedBackup } from '../support/generate-backup.ts';
import { havePeer } from '../support/peers.ts';
import { readDockerArchive } from '../support/read-docker-archive.ts';
import { readLayout } from '../support/read-layout.ts';
import { listRegistry } from '../support/read-registry.ts';
import { run, type RunOptions, type RunResult } from '../support/run.ts';
import { startRegistry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { buildStandalone, forms, runForm } from './support/standalone.ts';

const folder = temporaryFolder();
let large: GeneratedBackup;

beforeAll(async () => {
  await buildStandalone();
  // Enough bytes for threads; they are a hole, so nothing is written.
  large = generateBackup(
    { images: 3, repositories: 2, bytes: 200_000, baseImages: 1, multiArchRatio: 0, holeBytes: 150_000_000 },
    folder.path,
  );
});
afterAll(() => folder.remove());

describe.each(forms)('$name', ({ start }) => {
  const regtar = (args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    runForm(start, args, options);

  it('says its version and its help', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await regtar(['--version'])).toMatchObject({ stdout: `${version}\n`, stderr: '' });
    expect((await regtar(['help', 'formats'])).stdout).toContain('docker-archive');
  });

  it('lists and inspects a backup', async () => {
    const listed = JSON.parse((await regtar(['list', fixturePath, '--untagged', '--json'])).stdout) as Listed[];
    expect(Object.fromEntries(listed.map((each) => [nameOf(each), each.digest]))).toEqual(allDigests);
    expect(JSON.parse((await regtar(['inspect', fixturePath, '--json'])).stdout)).toMatchObject({
      tags: expected.tags.length,
      blobs: expected.blobs.length,
      problems: [],
    });
  });

  it('verifies in threads, and sees a flipped byte', async () => {
    const whole = await regtar(['verify', large.file, '--json', '--jobs', '2'], { env: { NODE_DEBUG: 'worker' } });
    expect(JSON.parse(whole.stdout)).toMatchObject({ blobs: { corrupt: 0, missing: 0 } });
    expect(whole.stderr.match(/create new worker/g)).toHaveLength(2);
    const restore = flipByte(large.file, Math.floor(large.bytes / 2));
    const damaged = await regtar(['verify', large.file, '--json', '--jobs', '2'], { allowFailure: true });
    restore();
    expect(damaged.code).toBe(4);
    expect(JSON.parse(damaged.stdout)).toMatchObject({ blobs: { corrupt: 1, missing: 0 } });
  });

  it('reads gzip and zstd from standard input, and a folder', async () => {
    const tar = readFileSync(fixturePath);
    const names = `${Object.keys(tagDigests).sort().join('\n')}\n`;
    expect((await regtar(['list', '-'], { input: gzipSync(tar) })).stdout).toBe(names);
    if (havePeer('zstd'))
      expect((await regtar(['list', '-'], { input: (await run('zstd', ['-qc'], { input: tar })).bytes })).stdout).toBe(
        names,
      );
    const unpacked = temporaryFolder();
    await run('tar', ['-xf', fixturePath, '-C', unpacked.path]);
    expect((await regtar(['list', unpacked.path])).stdout).toBe(names);
    unpacked.remove();
  });

  it('exports an OCI layout and a docker-archive', async () => {
    const out = temporaryFolder();
    await regtar(['export', fixturePath, out.file('oci'), '--untagged']);
    expect(digestsOf(layoutImages(await readLayout(out.file('oci'))))).toEqual(allDigests);
    await regtar([
      'export',
      fixturePath,
      out.file('images.tar'),
      '--format',
      'docker-archive',
      '--platform',
      'linux/amd64',
      '--include',
      'tools/**',
    ]);
    expect((await readDockerArchive(out.file('images.tar'))).images.flatMap(({ repoTags }) => repoTags)).toContain(
      'tools/multi:1.0',
    );
    out.remove();
  });

  it.skipIf(!havePeer('docker-registry'))('pushes to a real registry, and a second time sends nothing', async () => {
    const registry = await startRegistry();
    try {
      const first = JSON.parse(
        (await regtar(['push', fixturePath, registry.host, '--json', '--no-progress'])).stdout,
      ) as CopyReport;
      expect(first.images.filter(({ status }) => status !== 'copied')).toEqual([]);
      expect(
        (await listRegistry(registry)).map(({ repository, tag, digest }) => [`${repository}:${tag}`, digest]),
      ).toEqual(expect.arrayContaining(Object.entries(tagDigests)));
      const second = JSON.parse(
        (await regtar(['push', fixturePath, registry.host, '--json', '--no-progress'])).stdout,
      ) as CopyReport;
      expect(second.blobs.bytes).toBe(0);
    } finally {
      await registry.stop();
    }
  });

  it('reads settings, and writes the report page', async () => {
    const here = temporaryFolder();
    copyFileSync(fixturePath, here.file('docker.tar'));
    const page = here.file('report.html');
    await regtar(['inspect', '--html', page], { cwd: here.path, env: { REGTAR_SOURCE: 'docker.tar' } });
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>[\s\S]*team\/app\/web[\s\S]*<script>/i);
    here.remove();
  });

  it('fails with one line, a hint and the right exit code', async () => {
    const { code, stderr } = await regtar(['list', '/nonexistent/docker.tar'], { allowFailure: true });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^regtar: SOURCE_NOT_FOUND: .*\nhint: .*\n$/);
  });
});

/** @returns what puts the byte back */
function flipByte(file: string, position: number): () => void {
  const descriptor = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, position);
  const write = (value: number): void => void writeSync(descriptor, Buffer.of(value), 0, 1, position);
  write((byte[0] ?? 0) ^ 1);
  return () => {
    write(byte[0] ?? 0);
    closeSync(descriptor);
  };
}
