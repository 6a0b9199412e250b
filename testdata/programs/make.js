// Makes the archives beside it again: `npm run build && node testdata/programs/make.js`. Needs docker-registry, GNU tar, gzip, and crane, oras
// and regctl in PATH. What these programs write is packed as it is; only times, owners and order are fixed.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const folder = mkdtempSync(join(tmpdir(), 'regtar-programs-'));
const run = (program, ...args) =>
  execFileSync(program, args, {
    cwd: folder,
    env: { ...process.env, HOME: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });

const host = `127.0.0.1:${await freePort()}`;
writeFileSync(
  join(folder, 'registry.json'),
  JSON.stringify({
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
    http: { addr: host },
  }),
);
const registry = spawn('docker-registry', ['serve', 'registry.json'], { cwd: folder, stdio: 'ignore' });
try {
  while (!(await fetch(`http://${host}/v2/`).catch(() => undefined))?.ok) await wait(50);
  run(process.execPath, join(root, 'bin/regtar.js'), 'push', join(root, 'testdata/docker.tar'), host, '-q');

  run('crane', 'pull', '--format=oci', '--annotate-ref', `${host}/tools/multi:1.0`, 'crane-oci');
  run('crane', 'pull', '--format=tarball', `${host}/tools/hello:1.0`, `${host}/tools/hello:edge`, 'crane.tar');
  run('crane', 'pull', '--format=legacy', `${host}/tools/hello:1.0`, 'crane-legacy.tar');
  run('regctl', 'registry', 'set', '--tls', 'disabled', host);
  run('regctl', 'image', 'copy', `${host}/tools/hello:1.0`, 'ocidir://regctl-oci:1.0');
  run('regctl', 'image', 'export', `${host}/tools/multi:1.0`, 'regctl.tar');
  run('oras', 'cp', '-r', '--from-plain-http', `${host}/team/app/web:2.0`, '--to-oci-layout', 'oras-oci:2.0');
  run('oras', 'backup', '--plain-http', '--include-referrers', '--output', 'oras.tar', `${host}/tools/hello`);

  for (const name of ['crane.tar', 'crane-legacy.tar', 'regctl.tar', 'oras.tar']) pack(name, ['-C', folder, name]);
  for (const name of ['crane-oci', 'regctl-oci', 'oras-oci']) pack(`${name}.tar`, ['-C', folder, name]);
} finally {
  registry.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** An archive in an archive, so that a file's own bytes stay. */
function pack(name, what) {
  const fixed = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u+w'];
  run('tar', '--use-compress-program=gzip -9n', ...fixed, '-cf', join(here, `${name}.gz`), ...what);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
