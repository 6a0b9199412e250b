// @ts-check
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'standalone',
  about: 'size and start-up of the single files, --version against node -e 0',
  measure: async (bench) => {
    execFileSync(process.execPath, [join(bench.project, 'scripts/build-standalone.js'), '--if-changed'], {
      stdio: 'ignore',
    });
    const folder = join(bench.project, 'build/standalone');
    const executable = `regtar-${process.platform}-${process.arch}`;
    const files = [
      { file: 'regtar.mjs', start: [process.execPath, join(folder, 'regtar.mjs')], atMost: 2 },
      { file: executable, start: [join(folder, executable)], atMost: 1.5 },
    ];
    const [theirs, ...ours] = await bench.race(
      [
        { name: 'node -e 0', command: { argv: [process.execPath, '-e', '0'] } },
        ...files.map(({ file, start }) => ({ name: `${file} --version`, command: { argv: [...start, '--version'] } })),
      ],
      { warmUp: true, repetitions: 15 },
    );
    return files.flatMap(({ file, atMost }, index) => {
      const measured = ours[index];
      return measured && theirs
        ? [
            {
              title: `start-up of ${file}`,
              ours: measured,
              theirs,
              goal: { atMost },
              remark: `${(statSync(join(folder, file)).size / 1e6).toFixed(1)} MB`,
            },
          ]
        : [];
    });
  },
};
