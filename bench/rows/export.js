// @ts-check
import { mkdirSync } from 'node:fs';

const formats = /** @type {const} */ (['oci', 'dir', 'registry']);

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'export',
  about: 'export --format oci, dir and registry against tar -xf, fresh folders on one disk',
  measure: async (bench) => {
    const { file } = bench.backup('scale');
    const out = bench.fresh('out');
    const clear = () => void bench.fresh('out');
    const [theirs, ...ours] = await bench.race(
      [
        {
          name: 'tar -xf',
          command: { argv: ['tar', '-xf', file, '-C', out] },
          prepare: () => {
            mkdirSync(out);
            bench.settle();
          },
          cleanUp: clear,
        },
        ...formats.map((format) => ({
          name: format,
          command: bench.regtar('export', '--format', format, file, out),
          prepare: bench.settle,
          cleanUp: clear,
        })),
      ],
      { repetitions: 2 },
    );
    return ours.flatMap((measured) => [
      { title: `export --format ${measured.name}`, ours: measured, theirs, goal: { atMost: 0.8 } },
      { title: `export --format ${measured.name}, memory`, ours: measured, theirs: undefined, goal: { peakMiB: 200 } },
    ]);
  },
};
