// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './registry.js';

/** @typedef {{ url: string, stop: () => Promise<void> }} Server */

/**
 * Starts a program and waits until its address answers.
 * @param {string} command @param {readonly string[]} args @param {string} url what it serves, and `path` of it must be there
 * @param {{ path?: string, env?: Readonly<Record<string, string>> }} [how]
 * @returns {Promise<Server>}
 */
export async function startServer(command, args, url, { path = '/', env = {} } = {}) {
  const child = spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } });
  const exited = once(child, 'exit');
  for (let attempt = 0; attempt < 400; attempt++) {
    const answer = await fetch(`${url}${path}`, { method: 'HEAD' }).catch(() => undefined);
    if (answer !== undefined && answer.status < 500)
      return {
        url,
        stop: async () => {
          child.kill();
          await exited;
        },
      };
    await wait(25);
  }
  child.kill();
  throw new Error(`${command} does not answer at ${url}`);
}

/**
 * nginx over one folder, with a log of what it sent.
 * @param {string} folder for itself @param {string} root what it serves
 * @returns {Promise<Server & { sent: () => { requests: number, bytes: number } }>} what was sent since it was asked last
 */
export async function startNginx(folder, root) {
  mkdirSync(folder, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const log = join(folder, 'access.log');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
     http { log_format sent '$request_method $body_bytes_sent'; access_log ${log} sent; sendfile on;
       keepalive_requests 1000000; ${paths.join(' ')} server { listen ${host}; root ${root}; } }`,
  );
  const args = ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
  const server = await startServer('nginx', args, `http://${host}`);
  return {
    ...server,
    sent: () => {
      const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
      writeFileSync(log, '', { flag: 'r+' });
      const bytes = lines.filter((line) => line.startsWith('GET ')).map((line) => Number(line.slice(4)));
      return { requests: bytes.length, bytes: bytes.reduce((sum, each) => sum + each, 0) };
    },
  };
}

/**
 * Passes requests on to a server on loopback, each some milliseconds late.
 * @param {string} target `http://127.0.0.1:PORT` @param {number} milliseconds @returns {Promise<Server>}
 */
export async function startDelay(target, milliseconds) {
  const port = await freePort();
  const program = fileURLToPath(new URL('delay-proxy.js', import.meta.url));
  return startServer(
    process.execPath,
    [program, target, String(port), String(milliseconds)],
    `http://127.0.0.1:${port}`,
  );
}

/**
 * versitygw over a folder that holds a folder for each bucket.
 * @param {string} folder for itself, and for the buckets in `buckets`
 * @returns {Promise<Server & { env: Record<string, string> }>} `env` is for its clients
 */
export async function startS3(folder) {
  mkdirSync(join(folder, 'buckets'), { recursive: true });
  mkdirSync(join(folder, 'meta'), { recursive: true });
  const port = await freePort();
  const env = { AWS_ACCESS_KEY_ID: 'bench-access', AWS_SECRET_ACCESS_KEY: 'bench-secret-key', AWS_REGION: 'us-east-1' };
  const args = [
    ...['--access', env.AWS_ACCESS_KEY_ID, '--secret', env.AWS_SECRET_ACCESS_KEY, '--port', `127.0.0.1:${port}`],
    ...['--health', '/health', '--keep-alive', '--quiet', 'posix', '--sidecar', join(folder, 'meta')],
    join(folder, 'buckets'),
  ];
  const server = await startServer(findVersitygw(), args, `http://127.0.0.1:${port}`, { path: '/health' });
  return { ...server, env };
}

/** @see test/support/install-peers.js, which builds it there */
function findVersitygw() {
  const peers = JSON.parse(readFileSync(new URL('../../test/support/peers.json', import.meta.url), 'utf8'));
  const { go } = /** @type {{ go: string }} */ (peers.versitygw);
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folders = [
    join(caches, 'regtar-peers', go.replaceAll(/[^\w.@-]+/g, '-')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  const found = folders.map((folder) => join(folder, 'versitygw')).find((path) => existsSync(path));
  if (found === undefined) throw new Error('versitygw is not there: node test/support/install-peers.js builds it');
  return found;
}
