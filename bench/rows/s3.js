// @ts-check
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { generateBackup } from '../backup/generate-backup.js';
import { presets, withUsual } from '../backup/parameters.js';
import { startRegistry } from '../lib/registry.js';
import { runOnce, unmeasured } from '../lib/run-once.js';
import { startS3 } from '../lib/start-server.js';

/** About 150,000 objects with next to nothing in them. */
const many = {
  ...withUsual(presets['members-small']),
  name: 'objects',
  images: 12_000,
  repositories: 600,
  bytes: 12_000_000,
};

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 's3',
  about: 'push from a bucket of versitygw against push from the same storage as a folder; memory at 150,000 objects',
  measure: async (bench) => {
    const { file } = bench.backup('push');
    const folder = bench.fresh('s3');
    const server = await startS3(folder);
    const address = (/** @type {string} */ bucket) => `s3://${bucket}?endpoint=${server.url}`;
    const withKeys = (/** @type {readonly string[]} */ ...words) => {
      const { argv } = bench.regtar(...words);
      return { argv: ['env', ...Object.entries(server.env).map(([name, value]) => `${name}=${value}`), ...argv] };
    };
    const unpack = (/** @type {string} */ from, /** @type {string} */ bucket) => {
      const to = join(folder, 'buckets', bucket);
      mkdirSync(to, { recursive: true });
      execFileSync('tar', ['-xf', from, '-C', to]);
      return to;
    };
    try {
      const storage = unpack(file, 'pushed');
      const fromBucket = unmeasured('push from the bucket');
      const fromFolder = unmeasured('push from the folder');
      for (let round = 0; round < (bench.repetitions ?? 3); round++)
        for (const [measured, source] of /** @type {const} */ ([
          [fromBucket, address('pushed')],
          [fromFolder, storage],
        ])) {
          const registry = await startRegistry(bench.fresh('s3-registry'));
          const command = withKeys(
            'push',
            '-q',
            '--plain-http',
            '--state',
            bench.fresh('state.json'),
            source,
            registry.host,
          );
          await runOnce(bench, measured, command);
          await registry.stop();
        }
      const listed = await objects(bench, (from) => unpack(from, 'many'), withKeys('inspect', address('many')));
      return [
        { title: 'push from a bucket against a folder', ours: fromBucket, theirs: fromFolder, goal: { atMost: 1.3 } },
        { title: 'push from a bucket, memory', ours: fromBucket, theirs: undefined, goal: { peakMiB: 200 } },
        ...listed,
      ];
    } finally {
      await server.stop();
      // Node takes minutes for folders of this size.
      execFileSync('rm', ['-rf', folder]);
    }
  },
};

/**
 * @param {import('../lib/bench.js').Bench} bench
 * @param {(file: string) => string} unpack
 * @param {import('../lib/run-command.js').Command} command
 */
async function objects(bench, unpack, command) {
  const folder = unpack(
    generateBackup(bench.scale === 'full' ? many : { ...many, images: 1200, repositories: 60 }).file,
  );
  const count = execFileSync('find', [folder, '-type', 'f', '-printf', '.']).length;
  const [ours] = await bench.race([{ name: 'inspect', command }], { exactly: 1 });
  return ours === undefined
    ? []
    : [
        {
          title: 'inspect of a bucket, memory',
          ours,
          theirs: undefined,
          goal: { peakMiB: 200 },
          remark: `${count} objects, which have no ETags`,
        },
      ];
}
