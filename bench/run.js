// @ts-check
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { canDropCaches, createBench } from './lib/bench.js';
import { figureOf, isReached, renderTable } from './lib/table.js';
import { rows } from './rows.js';

const usage = `npm run bench -- [ROW…] [--scale small|full] [--repetitions N] [--json FILE]\nrows: ${rows.map((row) => `\n  ${row.name.padEnd(16)}${row.about}`).join('')}`;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scale: { type: 'string', default: 'small' },
    repetitions: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const unknown = positionals.filter((name) => !rows.some((row) => row.name === name));
const { scale } = values;
if (values.help || unknown.length > 0 || (scale !== 'small' && scale !== 'full')) {
  console.error(unknown.length > 0 ? `no row is called ${unknown.join(', ')}\n${usage}` : usage);
  process.exit(values.help ? 0 : 2);
}

const bench = createBench({
  scale,
  repetitions: values.repetitions === undefined ? undefined : Number(values.repetitions),
  log: (line) => console.error(line),
});
/** @type {{ row: string, result: import('./lib/bench.js').Result }[]} */
const results = [];
try {
  for (const row of rows.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    console.error(`${row.name}: ${row.about}`);
    try {
      for (const result of await row.measure(bench)) results.push({ row: row.name, result });
    } catch (error) {
      // One row that cannot be measured here (no docker-registry, no room) must not take the others with it.
      console.error(`  ${row.name} could not be measured: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
} finally {
  bench.end();
}
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${scale} scale, ${canDropCaches ? 'caches dropped between writing runs' : 'caches as they are'}`;
console.log(`${renderTable(results)}\n\n${machine}`);
if (values.json !== undefined) {
  const report = results.map(({ row, result }) => ({
    row,
    ...result,
    figure: figureOf(result),
    reached: isReached(result),
  }));
  writeFileSync(values.json, `${JSON.stringify({ machine, results: report }, undefined, 2)}\n`);
}
