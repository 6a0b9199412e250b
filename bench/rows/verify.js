// @ts-check
import { execFileSync } from 'node:child_process';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'verify',
  about: 'verify against sha256sum of the same file',
  measure: async (bench) => {
    const { file } = bench.backup('scale');
    // Both read a warm cache: from a cold one the disk would be measured, not the hashing.
    execFileSync('cat', [file], { stdio: 'ignore' });
    const [ours, theirs] = await bench.race(
      [
        { name: 'verify', command: bench.regtar('verify', file) },
        { name: 'sha256sum', command: { argv: ['sha256sum', file] } },
      ],
      { warmUp: bench.scale === 'small', repetitions: 2 },
    );
    return ours && theirs
      ? [
          { title: 'verify', ours, theirs, goal: { timesFaster: 3 } },
          { title: 'verify, memory', ours, theirs: undefined, goal: { peakMiB: 200 } },
        ]
      : [];
  },
};
