// @ts-check
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { startRegistry } from '../lib/registry.js';
import { buildSkopeoTree, readTags } from '../lib/skopeo-tree.js';

/**
 * Every run of `push` gets an empty registry of its own, and `push again` repeats it against the registry that this run filled. skopeo runs
 * once: it takes minutes.
 * @type {import('../lib/bench.js').Row}
 */
export const row = {
  name: 'push',
  about: 'push against skopeo sync of the same images into fresh docker-registries, and both a second time',
  measure: async (bench) => {
    const { file } = bench.backup('push');
    const unpacked = bench.fresh('unpacked');
    const tree = bench.fresh('tree');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xf', file, '-C', unpacked]);
    buildSkopeoTree(unpacked, tree);
    const expected = readTags(unpacked);

    const regtar = contest(bench, 'regtar', expected, (host) => bench.regtar('push', '--plain-http', '--jobs', '8', file, host));
    const skopeo = contest(bench, 'skopeo', expected, (host) => ({ argv: ['skopeo', 'sync', '--scoped', '--all', '--dest-tls-verify=false', '--src', 'dir', '--dest', 'docker', tree, host] }));
    const repetitions = bench.repetitions ?? 3;
    for (let round = 0; round < repetitions; round++) {
      await regtar.run();
      if (round === 0) await skopeo.run();
    }
    bench.fresh('unpacked');
    bench.fresh('tree');
    return [
      { title: 'push, fresh registry', ours: regtar.first, theirs: skopeo.first, goal: { timesFaster: 8 } },
      { title: 'push, everything present', ours: regtar.second, theirs: skopeo.second, goal: { timesFaster: 3 } },
      { title: 'push, memory', ours: regtar.first, theirs: undefined, goal: { peakMiB: 200 } },
    ];
  },
};

/**
 * @param {import('../lib/bench.js').Bench} bench
 * @param {string} name
 * @param {ReadonlyMap<string, string>} expected tags and digests that the registry must hold in the end
 * @param {(host: string) => import('../lib/run-command.js').Command} command
 */
function contest(bench, name, expected, command) {
  /** @type {import('../lib/race.js').Measured} */
  const first = { name: name === 'skopeo' ? 'skopeo sync' : name, seconds: [], peakMiB: undefined, failure: undefined, output: '' };
  const second = { ...first, seconds: /** @type {number[]} */ ([]) };
  return {
    first,
    second,
    run: async () => {
      if (first.failure !== undefined) return;
      const registry = await startRegistry(bench.fresh(`registry-${name}`));
      try {
        for (const measured of [first, second]) {
          const [run] = await bench.race([{ name: `${name}, ${measured === first ? 'fresh' : 'again'}`, command: command(registry.host), prepare: bench.settle }], { exactly: 1 });
          if (!run) return;
          measured.seconds.push(...run.seconds);
          measured.failure = run.failure;
          if (run.peakMiB !== undefined) measured.peakMiB = Math.max(run.peakMiB, measured.peakMiB ?? 0);
          if (run.failure !== undefined) return;
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
