import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { bareEnvironment, program, regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { watchWarnings } from '../support/node-warnings.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { file } from '../support/tar-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const random = (bytes: number, seed: number): Buffer => {
  let state = seed;
  return Buffer.from(
    Uint32Array.from({ length: bytes / 4 }, () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0)).buffer,
  );
};
const layerBytes = 3 * 2 ** 20;
const store = buildStorage((s) =>
  ['one', 'two', 'three'].map((name, index) =>
    s.image(`team/${name}`, 'v1', { layers: [{ bytes: random(layerBytes, index + 1) }] }),
  ),
);
const tar = store.tar({ order: 'path' });

const spoolsIn = (parent: string): string[] => readdirSync(parent).filter((name) => name.startsWith('.regtar-spool-'));
const layerFilesIn = (parent: string): string[] =>
  spoolsIn(parent).flatMap((name) => readdirSync(join(parent, name)).filter((entry) => /^[0-9]+$/.test(entry)));

/** An export that has read most of its standard input and waits for the rest. */
async function startHalfway(parent: string): Promise<{ child: ChildProcess; ended: Promise<number | string | null> }> {
  mkdirSync(parent, { recursive: true });
  const child = spawn(process.execPath, [program, 'export', '--format', 'oci', '-', join(parent, 'out')], {
    env: { ...process.env, ...bareEnvironment },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  watchWarnings(child, 'regtar export');
  child.stdin?.on('error', () => undefined);
  const ended = new Promise<number | string | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );
  child.stdin?.write(tar.subarray(0, tar.length - 1_000_000));
  for (let wait = 0; layerFilesIn(parent).length < 2; wait++) {
    if (wait > 400) throw new Error('no spool was made');
    await sleep(25);
  }
  return { child, ended };
}

describe('a spool is removed on every exit', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('%s', async (signal) => {
    const parent = folder.file(signal);
    const { child, ended } = await startHalfway(parent);
    child.kill(signal);
    expect(await ended).toBe(130);
    expect(spoolsIn(parent)).toEqual([]);
  });

  it('a second SIGINT', async () => {
    const parent = folder.file('impatient');
    const { child, ended } = await startHalfway(parent);
    child.kill('SIGINT');
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(spoolsIn(parent)).toEqual([]);
  });

  it('an input that ends too early, and one that is not a registry', async () => {
    const parent = folder.file('early');
    mkdirSync(parent);
    expect(
      await regtar(['export', '--format', 'oci', '-', join(parent, 'out')], {
        input: tar.subarray(0, tar.length - 1_000_000),
      }),
    ).toMatchObject({ code: 1, stderr: expect.stringContaining('the archive is cut at byte') as string });
    expect(
      await regtar(['export', '--format', 'oci', '-', join(parent, 'out2')], {
        input: Buffer.concat([file('a/b', 'x'), Buffer.alloc(1024)]),
      }),
    ).toMatchObject({ code: 1, stderr: expect.stringContaining('SOURCE_NOT_REGISTRY') as string });
    expect(spoolsIn(parent)).toEqual([]);
  });

  it('what kill -9 leaves is removed by the next run; the spool of a living process is not touched', async () => {
    const parent = folder.file('killed');
    const living = await startHalfway(parent);
    const [mine] = spoolsIn(parent);
    const dead = await startHalfway(join(parent, 'elsewhere'));
    dead.child.kill('SIGKILL');
    await dead.ended;
    const [left = ''] = spoolsIn(join(parent, 'elsewhere'));
    expect(readdirSync(join(parent, 'elsewhere', left)).length).toBeGreaterThan(2);
    execFileSync('mv', [join(parent, 'elsewhere', left), parent]);
    // A spool that is younger than this may belong to a process that has not locked it yet.
    utimesSync(join(parent, left), new Date(0), new Date(0));
    await regtarDone(['export', '--format', 'dir', '-', join(parent, 'dir')], { input: tar });
    expect(spoolsIn(parent)).toEqual([mine]);
    living.child.stdin?.end(tar.subarray(tar.length - 1_000_000));
    expect(await living.ended).toBe(0);
    expect(spoolsIn(parent)).toEqual([]);
  });
});

describe('what a spool holds', () => {
  /** Folders are told from a full disk by a file system of just this size. */
  const canMount =
    process.getuid?.() === 0 &&
    spawnSync('sh', ['-c', 'd=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs "$d" && umount "$d" && rmdir "$d"'])
      .status === 0;

  it.skipIf(!canMount).each(['oci', 'dir', 'registry'])(
    'export --format %s needs no more room than the output and a tenth',
    async (format) => {
      const place = mkdtempSync(folder.file('disk-'));
      execFileSync('mount', [
        '-t',
        'tmpfs',
        '-o',
        `size=${Math.ceil((tar.length * 1.1) / 4096) * 4096}`,
        'tmpfs',
        place,
      ]);
      try {
        for (const input of [tar, gzipSync(tar, { level: 1 })]) {
          await regtarDone(['export', '--format', format, '-', join(place, 'out')], { input });
          expect(readdirSync(place)).toEqual(['out']);
          execFileSync('rm', ['-r', join(place, 'out')]);
        }
        // The room is told by something: a second copy of the layers would not have fitted.
        writeFileSync(join(place, 'filler'), Buffer.alloc(layerBytes));
        expect(await regtar(['export', '--format', format, '-', join(place, 'out')], { input: tar })).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('OUTPUT_FULL') as string,
        });
        expect(spoolsIn(place)).toEqual([]);
      } finally {
        execFileSync('umount', [place]);
        rmdirSync(place);
      }
    },
  );

  it('layers are renamed or linked into the output, not copied', async () => {
    const parent = folder.file('linked');
    mkdirSync(parent);
    const child = spawn(process.execPath, [program, 'export', '--format', 'oci', '-', join(parent, 'out')], {
      env: { ...process.env, ...bareEnvironment },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    watchWarnings(child, 'regtar export');
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.stdin.write(tar.subarray(0, tar.length - 1024));
    for (let wait = 0; layerFilesIn(parent).length < 3 && wait < 400; wait++) await sleep(25);
    const [spool = ''] = spoolsIn(parent);
    const spooled = layerFilesIn(parent)
      .map((name) => statSync(join(parent, spool, name)).ino)
      .sort();
    expect(spooled).toHaveLength(3);
    child.stdin.end(tar.subarray(tar.length - 1024));
    expect(await ended).toBe(0);
    const layers = store.built
      .map(({ blobs }) => statSync(join(parent, 'out/blobs/sha256', blobs[1]!.digest.slice(7))).ino)
      .sort();
    expect(layers).toEqual(spooled);
  });

  it('what nothing selects is dropped, and the output holds what was asked for', async () => {
    const parent = folder.file('selected');
    mkdirSync(parent);
    await regtarDone(['export', '--format', 'oci', '--include', 'team/two', '-', join(parent, 'out')], { input: tar });
    expect(readdirSync(parent)).toEqual(['out']);
    const sizes = readdirSync(join(parent, 'out/blobs/sha256')).map(
      (name) => statSync(join(parent, 'out/blobs/sha256', name)).size,
    );
    expect(sizes.filter((size) => size === layerBytes)).toHaveLength(1);
  });

  it('verify keeps no layers of a stream, and finds what is damaged all the same', async () => {
    const temporary = folder.file('verify');
    mkdirSync(temporary);
    const victim = store.built[1]!.blobs[1]!.digest;
    const damaged = store.tar({
      rewrite: (path, bytes, full) =>
        path === storagePaths.blob(victim) ? [file(full, Buffer.from(bytes).fill(0, 9, 10))] : undefined,
    });
    const place = mkdtempSync(join(temporary, 'disk-'));
    if (canMount) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', place]);
    try {
      const env = { TMPDIR: place };
      expect(await regtarJson(['verify', '-'], 0, { input: tar, env })).toMatchObject({
        sound: true,
        images: { whole: 3 },
      });
      expect(await regtarJson(['verify', '-'], 4, { input: damaged, env })).toMatchObject({
        images: { whole: 2, lost: 1 },
        blobs: { corrupt: 1 },
        problems: [{ code: 'BLOB_CORRUPT', digest: victim }],
      });
      expect(readdirSync(place)).toEqual([]);
    } finally {
      if (canMount) execFileSync('umount', [place]);
    }
  });

  it('its place and its need are said before anything is read', async () => {
    const parent = folder.file('said');
    mkdirSync(parent);
    const packed = join(parent, 'docker.tar.gz');
    writeFileSync(packed, gzipSync(tar, { level: 1 }));
    const { stderr } = await regtarDone(['export', '--format', 'oci', packed, join(parent, 'out')]);
    expect(stderr).toContain(`its blobs are kept in ${parent} until they are in the output, which needs`);
    expect(existsSync(join(parent, 'out/index.json'))).toBe(true);
  });
});
