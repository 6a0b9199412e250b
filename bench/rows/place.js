// @ts-check
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { presets } from '../backup/parameters.js';
import { generateBackup } from '../backup/generate-backup.js';
import { listBareRequests } from '../lib/bare-requests.js';
import { startRegistry } from '../lib/registry.js';
import { runOnce, unmeasured } from '../lib/run-once.js';
import { readTags } from '../lib/skopeo-tree.js';

const connections = 8;
const bareClient = fileURLToPath(new URL('../lib/bare-client.js', import.meta.url));

/**
 * Every run gets an empty registry of its own. By hand it is done one after the other: `tar -xf` of the blobs and layer links into the
 * registry's storage, then nothing but the PUTs of the manifests, by a client that does no more than that.
 * @type {import('../lib/bench.js').Row}
 */
export const row = {
  name: 'place',
  about:
    'push --storage against tar -xf with bare PUTs of the manifests, and against push; --in-place against layers ten times as large',
  measure: async (bench) => {
    const usual = await placing(bench, 'push', { sends: true });
    const many = bench.scale === 'full' ? await placing(bench, 'scale', { repetitions: 1 }) : undefined;
    return [
      { title: 'push --storage against tar -xf and bare PUTs', ...usual.byHand, goal: { atMost: 1 } },
      { title: 'push --storage against push', ...usual.sent, goal: { timesFaster: 3 } },
      { title: 'push --storage, memory', ours: usual.placed, theirs: undefined, goal: { peakMiB: 200 } },
      ...(many === undefined
        ? []
        : [
            /** @type {const} */ ({ title: 'push --storage of 5,000 images', ...many.byHand, goal: { atMost: 1.5 } }),
            {
              title: 'push --storage of 5,000 images, memory',
              ours: many.placed,
              theirs: undefined,
              goal: { peakMiB: 200 },
            },
          ]),
      await inPlace(bench),
    ];
  },
};

/**
 * Everybody in turn, each into a registry of its own.
 * @param {import('../lib/bench.js').Bench} bench
 * @param {'push' | 'scale'} name of the backup
 * @param {{ repetitions?: number, sends?: boolean }} how `sends`: whether the usual push takes part
 */
async function placing(bench, name, { repetitions = bench.repetitions ?? 3, sends = false }) {
  const { file } = bench.backup(name);
  const { manifests, expected } = prepare(bench, file);
  const placed = unmeasured('push --storage');
  const byHand = unmeasured('tar -xf and bare PUTs');
  const sent = unmeasured('push');
  for (let round = 0; round < repetitions; round++) {
    await contest(bench, placed, expected, ({ host, storage }) =>
      bench.regtar('push', '--plain-http', '--storage', storage, file, host),
    );
    await contest(bench, byHand, expected, (target) => unpackAndPut(file, manifests, target));
    if (sends) await contest(bench, sent, expected, ({ host }) => bench.regtar('push', '--plain-http', file, host));
  }
  bench.fresh('unpacked');
  return { placed, byHand: { ours: placed, theirs: byHand }, sent: { ours: placed, theirs: sent } };
}

/**
 * What is done without regtar: the tar unpacked into the storage, and every manifest put by a client that does no more.
 * @param {string} file @param {string} manifests @param {{ host: string, storage: string }} target
 */
function unpackAndPut(file, manifests, { host, storage }) {
  const put = [process.execPath, bareClient, host, String(connections), manifests];
  return { argv: ['sh', '-c', byHandScript, 'sh', file, storage, ...put] };
}

/**
 * The same images once more, with layers ten times as large.
 * @param {import('../lib/bench.js').Bench} bench
 * @returns {Promise<import('../lib/bench.js').Result>}
 */
async function inPlace(bench) {
  const usual = presets[bench.scale === 'full' ? 'push' : 'push-small'];
  const small = bench.backup('push').file;
  const large = generateBackup({
    ...usual,
    name: `${usual.name}-large`,
    bytes: 10 * usual.bytes,
    largestLayer: 10 * usual.largestLayer,
  }).file;
  const measured = [unmeasured('layers ten times as large'), unmeasured('--in-place')];
  for (const [index, file] of [large, small].entries()) {
    const own = measured[index];
    if (own === undefined) continue;
    const storage = bench.fresh('moved');
    mkdirSync(storage);
    execFileSync('tar', ['-xf', file, '-C', storage]);
    const expected = readTags(storage);
    for (let round = 0; round < (bench.repetitions ?? 3); round++) {
      execFileSync('sh', ['-c', 'find "$0" -name _manifests -prune -exec rm -r {} +', storage]);
      await contest(
        bench,
        own,
        expected,
        ({ host }) => bench.regtar('push', '--plain-http', '--in-place', file, host),
        storage,
      );
    }
  }
  bench.fresh('moved');
  const [ours = unmeasured(''), theirs] = measured;
  return { title: '--in-place of layers ten times as large', ours, theirs, goal: { atMost: 1.25 } };
}

/** What a person does who has `tar` and a client. Manifests and tags stay out: the registry makes them. */
const byHandScript = `tar --exclude=_manifests -xf "$1" -C "$2" && exec "$3" "$4" "$5" "$6" "$7"`;

/** @param {import('../lib/bench.js').Bench} bench @param {string} file */
function prepare(bench, file) {
  const unpacked = bench.fresh('unpacked');
  mkdirSync(unpacked);
  execFileSync('tar', ['-xf', file, '-C', unpacked]);
  const manifests = bench.fresh('manifests.json');
  // Neither uploads nor mounts.
  writeFileSync(manifests, JSON.stringify(listBareRequests(unpacked).slice(2)));
  return { manifests, expected: readTags(unpacked) };
}

/**
 * @param {import('../lib/bench.js').Bench} bench
 * @param {import('../lib/race.js').Measured} measured
 * @param {ReadonlyMap<string, string>} expected
 * @param {(registry: { host: string, storage: string }) => import('../lib/run-command.js').Command} command
 * @param {string} [storage] what the registry serves; an empty folder of its own unless told
 */
async function contest(bench, measured, expected, command, storage) {
  if (measured.failure !== undefined) return;
  const registry = await startRegistry(bench.fresh('registry'), storage);
  try {
    await runOnce(bench, measured, command(registry));
    if (measured.failure !== undefined) return;
    const arrived = readTags(registry.storage);
    const equal = [...expected].filter(([name, digest]) => arrived.get(name) === digest).length;
    if (equal !== expected.size) measured.failure = `only ${equal} of ${expected.size} tags arrived with their digests`;
  } finally {
    await registry.stop();
  }
}
