// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * A fresh, empty docker-registry on the loopback interface.
 * @param {string} folder for its storage; emptied first
 * @param {string} [given] another folder that it serves, which is left as it is
 * @returns {Promise<{ host: string, storage: string, stop: () => Promise<void> }>} `stop` also deletes the storage
 */
export async function startRegistry(folder, given) {
  rmSync(folder, { recursive: true, force: true });
  const storage = given ?? join(folder, 'storage');
  mkdirSync(folder, { recursive: true });
  mkdirSync(storage, { recursive: true });
  mkdirSync(folder, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(folder, 'config.json');
  // JSON is YAML. Its own words: no log of every request, as an operator would set it.
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: storage } },
      http: { addr: host },
    }),
  );
  const log = openSync(join(folder, 'log.txt'), 'w');
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', log, log] });
  closeSync(log);
  const exited = once(child, 'exit');
  exited.catch(() => undefined);
  await once(child, 'spawn');
  await untilReady(`http://${host}/v2/`);
  return {
    host,
    storage,
    stop: async () => {
      child.kill();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @param {string} url */
async function untilReady(url) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok === true) return;
    await wait(50);
  }
  throw new Error(`${url} does not answer`);
}

/** @returns {Promise<number>} a port of the loopback interface that nobody listens on */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
