// @ts-check
import { quoted, shell } from '../lib/run-command.js';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'docker-archive',
  about: 'export --format docker-archive to /dev/null, with OpenSSL’s SHA-256 of the same number of bytes beside it',
  measure: async (bench) => {
    const { file, bytes } = bench.backup('scale');
    const [ours, theirs] = await bench.race(
      [
        {
          name: 'docker-archive',
          command: shell(
            `${quoted(bench.regtar('export', '--format', 'docker-archive', '--platform', 'linux/amd64', file, '-').argv)} > /dev/null`,
          ),
        },
        { name: 'openssl sha256', command: { argv: ['openssl', 'dgst', '-sha256', file] } },
      ],
      { warmUp: true, repetitions: 2 },
    );
    return ours && theirs
      ? [
          { title: 'docker-archive to /dev/null', ours, theirs, bytes, goal: { gigabytesPerSecond: 1 } },
          { title: 'docker-archive, memory', ours, theirs: undefined, goal: { peakMiB: 200 } },
        ]
      : [];
  },
};
