import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateBackup } from '../support/generate-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startDiscardingRegistry, type DiscardingRegistry } from './support/discarding-registry.ts';
import { push } from './support/regtar.ts';

const folder = temporaryFolder();
let registry: DiscardingRegistry;
beforeAll(async () => {
  registry = await startDiscardingRegistry();
});
afterAll(async () => {
  await registry.stop();
  folder.remove();
});

/** The largest part of it that was in memory, in MiB. */
async function peakOf(source: string): Promise<number> {
  const file = folder.file('peak');
  const code = `import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(${JSON.stringify(file)}, String(process.resourceUsage().maxRSS)));`;
  const result = await push(source, registry.host, {
    run: { env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` } },
  });
  expect([result.code, result.stderr]).toEqual([0, expect.not.stringContaining('regtar:')]);
  return Number(readFileSync(file, 'utf8')) / 1024;
}

it('a layer of a gigabyte streams, and memory does not grow with it', async () => {
  const small = generateBackup(
    { name: 'none', images: 3, repositories: 2, bytes: 200_000, baseImages: 1, multiArchRatio: 0 },
    folder.path,
  );
  const huge = generateBackup(
    {
      name: 'huge',
      images: 3,
      repositories: 2,
      bytes: 200_000,
      baseImages: 1,
      multiArchRatio: 0,
      holeBytes: 1_000_000_000,
    },
    folder.path,
  );
  const base = await peakOf(small.file);
  registry.counts.bytes = 0;
  const peak = await peakOf(huge.file);
  expect(registry.counts.bytes).toBeGreaterThan(1_000_000_000);
  expect(peak).toBeLessThan(200);
  expect(peak - base).toBeLessThan(60);
});

it('hundreds of images stay below 200 MiB, and as many manifests arrive', async () => {
  const many = generateBackup(
    { name: 'many', images: 600, repositories: 60, bytes: 8_000_000, baseImages: 8, largestLayer: 50_000 },
    folder.path,
  );
  registry.counts.manifests = 0;
  registry.counts.requests = 0;
  expect(await peakOf(many.file)).toBeLessThan(200);
  expect(registry.counts.manifests).toBe(many.images + 2 * many.multiArch);
  expect(registry.counts.requests).toBeGreaterThan(5000);
});
