// @ts-check
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const usage = 'npm run fuzz -- [SECONDS] [--seed N]      a failure names its seed and keeps its archive';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    help: { type: 'boolean', short: 'h' },
  },
});
const [seconds = '60'] = positionals;
if (values.help || ![seconds, values.seed].every((number) => /^[0-9]+$/.test(number))) {
  console.error(usage);
  process.exit(values.help ? 0 : 2);
}
const { status } = spawnSync('npx', ['vitest', 'run', 'test/fuzz'], {
  stdio: 'inherit',
  env: { ...process.env, REGTAR_FUZZ_SECONDS: seconds, REGTAR_FUZZ_SEED: values.seed },
});
process.exit(status ?? 1);
