// @ts-check
import { quoted, shell } from '../lib/run-command.js';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'huge-layer',
  about: 'memory of export and verify with one layer of 20 GB',
  measure: async (bench) => {
    const { file } = bench.backup('huge');
    const measured = await bench.race(
      [
        {
          name: 'docker-archive',
          command: shell(`${quoted(bench.regtar('export', '--format', 'docker-archive', file, '-').argv)} > /dev/null`),
        },
        { name: 'verify', command: bench.regtar('verify', file) },
      ],
      { repetitions: 1 },
    );
    return measured.map((ours) => ({
      title: `${ours.name} of one huge layer, memory`,
      ours,
      theirs: undefined,
      goal: { peakMiB: 200 },
    }));
  },
};
