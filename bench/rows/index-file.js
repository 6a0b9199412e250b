// @ts-check
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { canDropCaches } from '../lib/bench.js';
import { runCommand } from '../lib/run-command.js';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'index-file',
  about: 'inspect with an index file against without, cold cache',
  measure: async (bench) => {
    if (!canDropCaches) throw new Error('only root can drop the caches');
    const { file } = bench.backup('scale');
    const index = `${file}.regtar-index`;
    const aside = `${index}.aside`;
    const folder = bench.fresh('index');
    mkdirSync(folder);
    await runCommand(bench.regtar('index', file), folder);
    const [ours, theirs] = await bench.race([
      {
        name: 'with its index file',
        command: bench.regtar('inspect', file),
        prepare: () => {
          if (!existsSync(index)) throw new Error('`regtar index` wrote no index file: not available');
          bench.settle();
        },
      },
      {
        name: 'without',
        command: bench.regtar('inspect', file),
        prepare: () => {
          renameSync(index, aside);
          bench.settle();
        },
        cleanUp: () => renameSync(aside, index),
      },
    ]);
    rmSync(index, { force: true });
    return ours && theirs
      ? [{ title: 'inspect with an index file, cold', ours, theirs, goal: { timesFaster: 4 } }]
      : [];
  },
};
