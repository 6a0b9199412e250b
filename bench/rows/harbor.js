// @ts-check
import { writeFileSync } from 'node:fs';
import { loadHarborDouble } from '../lib/harbor-double.js';
import { startRegistry } from '../lib/registry.js';
import { runOnce, unmeasured } from '../lib/run-once.js';
import { unpackForSkopeo } from '../lib/skopeo-tree.js';

/** @typedef {import('../lib/race.js').Measured} Measured */

/**
 * The double stands in front of a real docker-registry and answers as a measured Harbor does; its hash of a user's password, which makes
 * Harbor slower still for skopeo, is left out.
 * @type {import('../lib/bench.js').Row}
 */
export const row = {
  name: 'harbor',
  about: 'push against skopeo sync into a fresh Harbor double, and what the double itself costs',
  measure: async (bench) => {
    const { file } = bench.backup('harbor');
    const { tree, expected } = unpackForSkopeo(bench, file);
    const { startHarborDouble } = await loadHarborDouble(bench.fresh('harbor-double.mjs'));
    const password = bench.fresh('password.txt');

    /** @param {Measured} measured @param {(host: string, robot: { username: string, password: string }) => import('../lib/run-command.js').Command} command */
    const intoHarbor = async (measured, command) => {
      const harbor = await startHarborDouble({ registryStorage: bench.fresh('harbor'), withoutLog: true });
      try {
        harbor.createProject('bench');
        const robot = harbor.addPusher('pusher', '*');
        writeFileSync(password, robot.password, { mode: 0o600 });
        await runOnce(bench, measured, command(harbor.host, robot));
        const arrived = [...expected].filter(
          ([name, digest]) =>
            harbor.tags(`bench/${name.slice(0, name.lastIndexOf(':'))}`).get(name.slice(name.lastIndexOf(':') + 1)) ===
            digest,
        ).length;
        if (measured.failure === undefined && arrived !== expected.size)
          measured.failure = `only ${arrived} of ${expected.size} tags arrived with their digests`;
      } finally {
        await harbor.stop();
      }
    };

    const [ours, direct, skopeo] = [unmeasured('regtar'), unmeasured('without the double'), unmeasured('skopeo sync')];
    for (let round = 0; round < (bench.repetitions ?? 3); round++) {
      await intoHarbor(ours, (host, { username }) => ({
        ...bench.regtar('push', '--plain-http', '--username', username, '--password-stdin', file, `${host}/bench`),
        input: password,
      }));
      const registry = await startRegistry(bench.fresh('registry'));
      await runOnce(bench, direct, bench.regtar('push', '--plain-http', file, `${registry.host}/bench`)).finally(() =>
        registry.stop(),
      );
      if (round === 0)
        await intoHarbor(skopeo, (host, robot) => ({
          argv: [
            'skopeo',
            'sync',
            '--scoped',
            '--all',
            '--dest-tls-verify=false',
            '--dest-creds',
            `${robot.username}:${robot.password}`,
            '--src',
            'dir',
            '--dest',
            'docker',
            tree,
            `${host}/bench`,
          ],
        }));
    }
    return [
      { title: 'push, fresh Harbor double', ours, theirs: skopeo, goal: { timesFaster: 5 } },
      { title: 'the double against the registry behind it', ours, theirs: direct, goal: { atMost: 1.5 } },
    ];
  },
};
