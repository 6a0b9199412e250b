// @ts-check
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { quoted, shell } from '../lib/run-command.js';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'streams',
  about: 'export from standard input, .tar.gz and .tar.zst against cat, zcat, zstd | tar -x',
  measure: async (bench) => {
    const { file } = bench.backup('push');
    const gzip = compressed(file, 'gz', `gzip -1 < ${quoted([file])}`);
    const zstd = compressed(file, 'zst', `zstd -q -1 < ${quoted([file])}`);
    const kinds = [
      {
        name: 'standard input',
        ours: { ...bench.regtar('export', '--format', 'oci', '-', bench.fresh('out')), input: file },
        theirs: `cat ${quoted([file])}`,
      },
      {
        name: 'gzip',
        ours: bench.regtar('export', '--format', 'oci', gzip, bench.fresh('out')),
        theirs: `zcat ${quoted([gzip])}`,
      },
      {
        name: 'zstd',
        ours: bench.regtar('export', '--format', 'oci', zstd, bench.fresh('out')),
        theirs: `zstd -dcq ${quoted([zstd])}`,
      },
    ];
    const results = [];
    for (const kind of kinds) {
      const clear = () => void bench.fresh('out');
      const [ours, theirs] = await bench.race([
        { name: kind.name, command: kind.ours, prepare: bench.settle, cleanUp: clear },
        {
          name: `${kind.theirs.split(' ')[0]} | tar -x`,
          command: shell(`${kind.theirs} | tar -x -C ${quoted([bench.fresh('out')])}`),
          prepare: () => {
            mkdirSync(bench.fresh('out'));
            bench.settle();
          },
          cleanUp: clear,
        },
      ]);
      if (ours && theirs)
        results.push(
          { title: `export from ${kind.name}`, ours, theirs, goal: { atMost: 1.2 } },
          { title: `export from ${kind.name}, memory`, ours, theirs: undefined, goal: { peakMiB: 200 } },
        );
    }
    return results;
  },
};

/** @param {string} file @param {string} extension @param {string} line that writes it to its standard output */
function compressed(file, extension, line) {
  const target = `${file}.${extension}`;
  if (!existsSync(target)) {
    execFileSync('bash', ['-c', `${line} > ${quoted([`${target}.tmp`])}`]);
    renameSync(`${target}.tmp`, target);
  }
  return target;
}
