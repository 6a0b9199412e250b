// @ts-check
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort, startRegistry } from '../lib/registry.js';
import { quoted, runCommand, shell } from '../lib/run-command.js';
import { startServer } from '../lib/start-server.js';

/** @typedef {import('../lib/bench.js').Bench} Bench @typedef {{ host: string, stop: () => Promise<void> }} Server */

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'serve',
  about: 'one big layer beside nginx; many images and small blobs beside docker-registry; ready beside `regtar list`',
  measure: async (bench) => [...(await bigLayer(bench)), ...(await manyImages(bench)), ...(await smallBlobs(bench))],
};

/** The same bytes out of a tar and as a plain file of nginx, by curl. @param {Bench} bench */
async function bigLayer(bench) {
  const bytes = (bench.scale === 'full' ? 1024 : 128) * 1024 * 1024;
  const store = bench.fresh('serve-big');
  const digest = writeStorage(store, [{ bytes }])[0] ?? '';
  const tar = `${store}.tar`;
  await runCommand({ argv: ['tar', '-cf', tar, '-C', store, 'docker'] }, dirname(store));
  const blob = join(store, 'docker/registry/v2', blobPath(digest));
  const nginx = await startNginx(bench.fresh('serve-nginx'), dirname(blob));
  /** @type {Server | undefined} */
  let fresh;
  const warm = await startServe(bench, tar);
  const get = (/** @type {string} */ url) => ({ argv: ['curl', '-sSf', '-o', '/dev/null', url] });
  const layer = (/** @type {string} */ host) => `http://${host}/v2/bench/blobs/${digest}`;
  await runCommand(get(layer(warm.host)), dirname(store));
  // The port of a server that is started again and again must be known before it is.
  const port = await freePort();
  const [first, later, theirs] = await bench.race(
    [
      {
        name: 'serve, first read',
        prepare: async () => void (fresh = await startServe(bench, tar, port)),
        command: get(layer(`127.0.0.1:${port}`)),
        cleanUp: async () => fresh?.stop(),
      },
      { name: 'serve, later reads', command: get(layer(warm.host)) },
      { name: 'nginx, a plain file', command: get(`http://${nginx.host}/data`) },
    ],
    { warmUp: true, repetitions: 3 },
  );
  await warm.stop();
  await nginx.stop();
  rmSync(store, { recursive: true, force: true });
  rmSync(tar, { force: true });
  if (!first || !later || !theirs) return [];
  return [
    { title: 'serve one layer, hashed on its first read', ours: first, theirs, goal: { atMost: 2.86 }, bytes },
    { title: 'serve one layer, later reads', ours: later, theirs, goal: { atMost: 1.25 }, bytes },
  ];
}

/** A whole backup through skopeo sync, and how soon it can begin. @param {Bench} bench */
async function manyImages(bench) {
  const { file } = bench.backup('push');
  const unpacked = bench.fresh('serve-unpacked');
  mkdirSync(unpacked);
  await runCommand({ argv: ['tar', '-xf', file, '-C', unpacked] }, dirname(unpacked));
  const registry = await startRegistry(bench.fresh('serve-registry'), unpacked);
  const served = await startServe(bench, file);
  const list = bench.fresh('serve-sync.yaml');
  const out = bench.fresh('serve-out');
  const { repositories } = /** @type {{ repositories: string[] }} */ (
    await (await fetch(`http://${served.host}/v2/_catalog`)).json()
  );
  const sync = (/** @type {string} */ host) => ({
    prepare: () => {
      rmSync(out, { recursive: true, force: true });
      mkdirSync(out);
      const images = Object.fromEntries(repositories.map((name) => [name, []]));
      writeFileSync(list, JSON.stringify({ [host]: { 'tls-verify': false, images } }));
      bench.settle();
    },
    command: {
      argv: ['skopeo', '--insecure-policy', 'sync', '--all', '--scoped', '--src', 'yaml', '--dest', 'dir', list, out],
    },
  });
  const [ours, theirs] = await bench.race(
    [
      { name: 'skopeo sync from serve', ...sync(served.host) },
      { name: 'skopeo sync from docker-registry', ...sync(registry.host) },
    ],
    { repetitions: 1 },
  );
  await served.stop();
  await registry.stop();
  const port = await freePort();
  const start = quoted(bench.regtar('serve', file, '--listen', `127.0.0.1:${port}`, '-q').argv);
  const [ready, listed] = await bench.race(
    [
      {
        name: 'serve until /v2/ answers',
        // When it is ready, not when it has ended.
        command: shell(
          `began=$EPOCHREALTIME; ${start} & while ! curl -sf -o /dev/null http://127.0.0.1:${port}/v2/; do sleep 0.01; done
           echo "$began $EPOCHREALTIME"; kill $!; wait $!`,
        ),
        seconds: ({ output }) => {
          const [began = 0, ready = 0] = output.trim().split(' ').map(Number);
          return ready - began;
        },
      },
      { name: 'list', command: bench.regtar('list', file) },
    ],
    { warmUp: true, repetitions: 5 },
  );
  rmSync(unpacked, { recursive: true, force: true });
  rmSync(out, { recursive: true, force: true });
  if (!ours || !theirs || !ready || !listed) return [];
  return [
    {
      title: 'skopeo sync of all images',
      ours,
      theirs,
      goal: { atMost: 1 },
      remark: 'docker-registry runs on the unpacked storage; unpacking is not timed',
    },
    { title: 'ready to answer', ours: ready, theirs: listed, goal: { atMost: 1.5 } },
  ];
}

/** Requests for blobs of 64 KiB over 16 connections, by ab. @param {Bench} bench */
async function smallBlobs(bench) {
  const store = bench.fresh('serve-small');
  const digest = writeStorage(store, [{ bytes: 64 * 1024 }])[0] ?? '';
  const tar = `${store}.tar`;
  await runCommand({ argv: ['tar', '-cf', tar, '-C', store, 'docker'] }, dirname(store));
  const registry = await startRegistry(bench.fresh('serve-registry'), store);
  const served = await startServe(bench, tar);
  const requests = bench.scale === 'full' ? 20_000 : 4000;
  const ab = (/** @type {string} */ host) => ({
    argv: [...['ab', '-q', '-k', '-c', '16', '-n', String(requests)], `http://${host}/v2/bench/blobs/${digest}`],
  });
  const [ours, theirs] = await bench.race(
    [
      { name: 'serve', command: ab(served.host) },
      { name: 'docker-registry', command: ab(registry.host) },
    ],
    { warmUp: true, repetitions: 3 },
  );
  await served.stop();
  await registry.stop();
  rmSync(store, { recursive: true, force: true });
  rmSync(tar, { force: true });
  if (!ours || !theirs) return [];
  return [
    {
      title: 'blobs of 64 KiB, 16 connections',
      ours,
      theirs,
      goal: { timesFaster: 2 },
      bytes: requests * 64 * 1024,
    },
  ];
}

/**
 * Writes the storage of a registry with one image `bench:1` that has these layers.
 * @param {string} folder @param {readonly { bytes: number }[]} layers @returns {string[]} their digests
 */
function writeStorage(folder, layers) {
  const root = join(folder, 'docker/registry/v2');
  const put = (/** @type {string} */ path, /** @type {Uint8Array | string} */ bytes) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  };
  const blob = (/** @type {Buffer} */ bytes) => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    put(blobPath(digest), bytes);
    return digest;
  };
  const digests = layers.map(({ bytes }) => writeLayer(root, bytes));
  const config = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}');
  const configDigest = blob(config);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: config.length },
      layers: digests.map((digest, index) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest,
        size: layers[index]?.bytes ?? 0,
      })),
    }),
  );
  const rootDigest = blob(manifest);
  const hex = (/** @type {string} */ digest) => digest.slice('sha256:'.length);
  for (const digest of [...digests, configDigest]) put(`repositories/bench/_layers/sha256/${hex(digest)}/link`, digest);
  const manifests = 'repositories/bench/_manifests';
  put(`${manifests}/revisions/sha256/${hex(rootDigest)}/link`, rootDigest);
  put(`${manifests}/tags/1/index/sha256/${hex(rootDigest)}/link`, rootDigest);
  put(`${manifests}/tags/1/current/link`, rootDigest);
  return digests;
}

/** @param {string} root @param {number} bytes */
function writeLayer(root, bytes) {
  const chunk = randomBytes(Math.min(bytes, 1024 * 1024));
  const hash = createHash('sha256');
  mkdirSync(root, { recursive: true });
  const temporary = join(root, 'layer');
  const file = openSync(temporary, 'w');
  for (let done = 0; done < bytes; done += chunk.length) {
    chunk.writeUInt32BE(done / chunk.length, 0);
    writeSync(file, chunk);
    hash.update(chunk);
  }
  closeSync(file);
  const digest = `sha256:${hash.digest('hex')}`;
  const path = join(root, blobPath(digest));
  mkdirSync(dirname(path), { recursive: true });
  renameSync(temporary, path);
  return digest;
}

/** @param {string} digest */
function blobPath(digest) {
  const hex = digest.slice('sha256:'.length);
  return `blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
}

/** @param {Bench} bench @param {string} source @param {number} [given] @returns {Promise<Server>} */
async function startServe(bench, source, given) {
  const port = given ?? (await freePort());
  const [command = '', ...args] = bench.regtar('serve', source, '--listen', `127.0.0.1:${port}`, '-q').argv;
  const { stop } = await startServer(command, args, `http://127.0.0.1:${port}`, { path: '/v2/' });
  return { host: `127.0.0.1:${port}`, stop };
}

/** @param {string} folder @param {string} root what it serves @returns {Promise<Server>} */
async function startNginx(folder, root) {
  mkdirSync(folder, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
     http { access_log off; sendfile on; ${paths.join(' ')} server { listen ${host}; root ${root}; } }`,
  );
  const args = ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
  const { stop } = await startServer('nginx', args, `http://${host}`, { path: '/data' });
  return { host, stop };
}
