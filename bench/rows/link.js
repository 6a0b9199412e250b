// @ts-check
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'link',
  about: 'export of an unpacked directory with --link against the same with copying',
  measure: async (bench) => {
    const { file } = bench.backup('scale');
    const unpacked = bench.fresh('unpacked');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xf', file, '-C', unpacked]);
    const results = [];
    for (const format of ['dir', 'oci']) {
      const clear = () => void bench.fresh('out');
      const command = (/** @type {string[]} */ ...words) =>
        bench.regtar('export', '--format', format, ...words, unpacked, bench.fresh('out'));
      const [ours, theirs] = await bench.race(
        [
          { name: '--link', command: command('--link'), prepare: bench.settle, cleanUp: clear },
          { name: 'copying', command: command(), prepare: bench.settle, cleanUp: clear },
        ],
        { repetitions: 2 },
      );
      if (ours && theirs)
        results.push({ title: `directory into ${format} with --link`, ours, theirs, goal: { timesFaster: 20 } });
    }
    bench.fresh('unpacked');
    return results;
  },
};
