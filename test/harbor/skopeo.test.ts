import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHarborDouble, type Credentials, type HarborDouble } from './double/start.ts';

const run = promisify(execFile);

let harbor: HarborDouble;
let folder: string;
let image: { directory: string; manifest: string };

beforeAll(async () => {
  harbor = await startHarborDouble({ loginLockMilliseconds: 50 });
  folder = await mkdtemp(path.join(tmpdir(), 'harbor-skopeo-'));
  image = await writeImage(path.join(folder, 'image'));
  harbor.createProject('apps');
});

afterAll(async () => {
  await harbor.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('skopeo against the Harbor double', () => {
  it('logs in with the right password and not with a wrong one', async () => {
    await expect(login({ ...harbor.admin, password: 'wrong' })).rejects.toThrow(/invalid username\/password/);
    await expect(login(harbor.admin)).resolves.toMatch(/Login Succeeded/);
  });

  it('copies an image in, inspects it and copies it out again, byte for byte', async () => {
    const reference = `docker://${harbor.host}/apps/team/web:v1`;
    await skopeo(
      'copy',
      '--dest-tls-verify=false',
      '--dest-creds',
      creds(harbor.admin),
      `dir:${image.directory}`,
      reference,
    );
    const inspected = JSON.parse(
      await skopeo('inspect', '--tls-verify=false', '--creds', creds(harbor.admin), reference),
    ) as { Digest: string; RepoTags: string[] };
    expect(inspected).toMatchObject({ Digest: digestOf(image.manifest), RepoTags: ['v1'] });
    const back = path.join(folder, 'back');
    await skopeo('copy', '--src-tls-verify=false', '--src-creds', creds(harbor.admin), reference, `dir:${back}`);
    expect(await readFile(path.join(back, 'manifest.json'), 'utf8')).toBe(image.manifest);
    expect(harbor.tags('apps/team/web')).toEqual(new Map([['v1', digestOf(image.manifest)]]));
  });

  it('pushes with a robot into its own project alone', async () => {
    harbor.createProject('other');
    const robot = harbor.addPusher('ci', 'apps');
    await skopeo(
      'copy',
      '--dest-tls-verify=false',
      '--dest-creds',
      creds(robot),
      `dir:${image.directory}`,
      `docker://${harbor.host}/apps/robot:v1`,
    );
    await expect(
      skopeo(
        'copy',
        '--dest-tls-verify=false',
        '--dest-creds',
        creds(robot),
        `dir:${image.directory}`,
        `docker://${harbor.host}/other/robot:v1`,
      ),
    ).rejects.toThrow(/unauthorized/i);
    expect(harbor.repositories()).toEqual(['apps/robot', 'apps/team/web']);
  });

  it('is refused where Harbor refuses: a missing project, a full quota, an immutable tag, a proxy cache, read-only', async () => {
    harbor.createProject('tiny', { storageLimit: 10 });
    harbor.addProxyProject('cache');
    harbor.createProject('fixed');
    harbor.addImmutableRule('fixed', 'v*');
    const push = (repository: string): Promise<string> =>
      skopeo(
        'copy',
        '--dest-tls-verify=false',
        '--dest-creds',
        creds(harbor.admin),
        `dir:${image.directory}`,
        `docker://${harbor.host}/${repository}`,
      );
    await expect(push('missing/app:v1')).rejects.toThrow(/unauthorized|not found/);
    await expect(push('tiny/app:v1')).rejects.toThrow(/denied/);
    await expect(push('cache/app:v1')).rejects.toThrow(/denied/);
    await push('fixed/app:v1');
    await expect(push('fixed/app:v1')).rejects.toThrow(/configured as immutable/);
    harbor.setReadOnly(true);
    await expect(push('apps/late:v1')).rejects.toThrow(/denied/);
    harbor.setReadOnly(false);
  });
});

function login({ username, password }: Credentials): Promise<string> {
  return skopeo(
    'login',
    '--tls-verify=false',
    '--authfile',
    path.join(folder, 'auth.json'),
    '--username',
    username,
    '--password',
    password,
    harbor.host,
  );
}

async function skopeo(...parameters: string[]): Promise<string> {
  return (await run('skopeo', parameters, { maxBuffer: 16 * 1024 * 1024 })).stdout;
}

function creds({ username, password }: Credentials): string {
  return `${username}:${password}`;
}

function digestOf(bytes: string | Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** An image of one layer in skopeo's `dir:` layout. */
async function writeImage(directory: string): Promise<{ directory: string; manifest: string }> {
  await mkdir(directory);
  const archive = Buffer.alloc(10_240);
  const layer = gzipSync(archive);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [digestOf(archive)] },
    }),
  );
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      size: config.length,
      digest: digestOf(config),
    },
    layers: [
      { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', size: layer.length, digest: digestOf(layer) },
    ],
  });
  await writeFile(path.join(directory, digestOf(layer).slice('sha256:'.length)), layer);
  await writeFile(path.join(directory, digestOf(config).slice('sha256:'.length)), config);
  await writeFile(path.join(directory, 'manifest.json'), manifest);
  await writeFile(path.join(directory, 'version'), 'Directory Transport Version: 1.1\n');
  return { directory, manifest };
}
