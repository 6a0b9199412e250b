// @ts-check
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { listBareRequests } from '../lib/bare-requests.js';
import { startRegistry } from '../lib/registry.js';
import { runOnce, unmeasured } from '../lib/run-once.js';
import { readTags, unpackForSkopeo } from '../lib/skopeo-tree.js';

/** As many for the bare client: what `push` does unless told. */
const connections = 8;

/**
 * Every run gets an empty registry of its own, and a second run repeats it against the registry that the first has filled. skopeo runs
 * once: it takes minutes. The bare client, which has only a first run, tells what of a push is the registry's own time: nothing that
 * pushes these images can be faster.
 * @type {import('../lib/bench.js').Row}
 */
export const row = {
  name: 'push',
  about:
    'push against skopeo sync of the same images into fresh docker-registries, both a second time, and against the bare requests',
  measure: async (bench) => {
    const { file } = bench.backup('push');
    const { unpacked, tree, expected } = unpackForSkopeo(bench, file);

    const requests = bench.fresh('requests.json');
    writeFileSync(requests, JSON.stringify(listBareRequests(unpacked)));

    const regtar = contest(bench, 'regtar', expected, (host) =>
      bench.regtar('push', '--plain-http', '--jobs', String(connections), file, host),
    );
    const bare = contest(
      bench,
      'bare client',
      expected,
      (host) => ({ argv: [process.execPath, bareClient, host, String(connections), requests] }),
      { once: true },
    );
    const skopeo = contest(bench, 'skopeo sync', expected, (host) => ({
      argv: [
        'skopeo',
        'sync',
        '--scoped',
        '--all',
        '--dest-tls-verify=false',
        '--src',
        'dir',
        '--dest',
        'docker',
        tree,
        host,
      ],
    }));
    const repetitions = bench.repetitions ?? 3;
    for (let round = 0; round < repetitions; round++) {
      await regtar.run();
      await bare.run();
      if (round === 0) await skopeo.run();
    }
    bench.fresh('unpacked');
    bench.fresh('tree');
    return [
      { title: 'push, fresh registry', ours: regtar.first, theirs: skopeo.first, goal: { timesFaster: 8 } },
      { title: 'the bare client, fresh registry', ours: bare.first, theirs: skopeo.first, goal: { timesFaster: 8 } },
      { title: 'push against the bare client', ours: regtar.first, theirs: bare.first, goal: { atMost: 1.25 } },
      { title: 'push, everything present', ours: regtar.second, theirs: skopeo.second, goal: { timesFaster: 3 } },
      { title: 'push, memory', ours: regtar.first, theirs: undefined, goal: { peakMiB: 200 } },
    ];
  },
};

const bareClient = fileURLToPath(new URL('../lib/bare-client.js', import.meta.url));

/**
 * @param {import('../lib/bench.js').Bench} bench
 * @param {string} name
 * @param {ReadonlyMap<string, string>} expected tags and digests that the registry must hold in the end
 * @param {(host: string) => import('../lib/run-command.js').Command} command
 * @param {{ once?: boolean }} [how]
 */
function contest(bench, name, expected, command, { once = false } = {}) {
  const first = unmeasured(name);
  const second = unmeasured(name);
  return {
    first,
    second,
    run: async () => {
      if (first.failure !== undefined) return;
      const registry = await startRegistry(bench.fresh(`registry of ${name}`));
      try {
        for (const measured of once ? [first] : [first, second]) {
          await runOnce(bench, measured, command(registry.host), `${name}, ${measured === first ? 'fresh' : 'again'}`);
          if (measured.failure !== undefined) return;
          measured.failure = difference(expected, readTags(registry.storage));
        }
      } finally {
        await registry.stop();
      }
    },
  };
}

/** @param {ReadonlyMap<string, string>} expected @param {ReadonlyMap<string, string>} arrived @returns {string | undefined} */
function difference(expected, arrived) {
  const equal = [...expected].filter(([name, digest]) => arrived.get(name) === digest).length;
  return equal === expected.size ? undefined : `only ${equal} of ${expected.size} tags arrived with their digests`;
}
