// @ts-check
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { canDropCaches } from '../lib/bench.js';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'scan',
  about: 'the scan into the catalog alone against tar -tf, warm and cold, and 3 million members',
  measure: async (bench) => {
    const program = await bundled(bench.project, bench.fresh('scan-program.mjs'));
    const { file } = bench.backup('scale');
    const warm = await bench.race(
      scanAndList(program, file, (run) => Number(run.output)),
      { warmUp: true, repetitions: 7 },
    );
    const cold = canDropCaches
      ? await bench.race(scanAndList(program, file, undefined, bench.settle), { repetitions: 3 })
      : [];
    const large = bench.backup('members');
    const members = await bench.race(
      scanAndList(program, large.file, (run) => Number(run.output)),
      { warmUp: true, repetitions: 3 },
    );
    const allowed = Math.round(150 + (250 * large.files) / 2 ** 20);
    return [
      ...pair('scan, warm, without start-up', warm, { atMost: 0.85 }),
      ...pair('scan, cold, with start-up', cold, { atMost: 0.8 }),
      ...pair(`scan of ${large.members} members`, members, { atMost: 0.85 }),
      ...members.slice(0, 1).map((ours) => ({
        title: `memory for ${large.files} blobs and links`,
        ours,
        theirs: undefined,
        goal: { peakMiB: allowed },
      })),
    ];
  },
};

/** @param {string} program @param {string} file @param {((run: import('../lib/run-command.js').Run) => number) | undefined} seconds @param {() => void} [prepare] @returns {import('../lib/race.js').Contender[]} */
function scanAndList(program, file, seconds, prepare = () => undefined) {
  return [
    { name: 'scan', command: { argv: [process.execPath, program, file] }, prepare, ...(seconds && { seconds }) },
    { name: 'tar -tf', command: { argv: ['tar', '-tf', file] }, prepare },
  ];
}

/** @param {string} title @param {readonly import('../lib/race.js').Measured[]} measured @param {import('../lib/bench.js').Goal} goal @returns {import('../lib/bench.js').Result[]} */
function pair(title, [ours, theirs], goal) {
  return ours && theirs ? [{ title, ours, theirs, goal }] : [];
}

/** @param {string} project @param {string} file */
async function bundled(project, file) {
  const build = await rolldown({ input: join(project, 'bench/rows/scan-program.js'), platform: 'node' });
  await build.write({ file, format: 'esm' });
  await build.close();
  return file;
}
