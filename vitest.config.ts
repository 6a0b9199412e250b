import { readFileSync, statfsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { reportPage } from './scripts/report-page-plugin.js';

const gibibyte = 2 ** 30;

/**
 * Tests write thousands of small files, most of them with fsync. Where memory has room for them, they go there: a
 * disk that others keep busy makes nobody wait then.
 */
function memoryFolder(): Record<string, string> {
  const folder = '/dev/shm';
  try {
    const { bavail, bsize } = statfsSync(folder);
    const mount = readFileSync('/proc/mounts', 'utf8').match(/^\S+ \/dev\/shm tmpfs (\S+)/m)?.[1] ?? 'noexec';
    const takesAll = !/\b(?:noexec|nodev|nosuid|ro)\b/.test(mount);
    return takesAll && bavail * bsize > 8 * gibibyte ? { TMPDIR: folder } : {};
  } catch {
    return {};
  }
}

export default defineConfig({
  plugins: [reportPage()],
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/fail-on-warnings.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    env: process.env['TMPDIR'] === undefined ? memoryFolder() : {},
    // Two cores: more files at once only make real registries and engines time out.
    maxWorkers: 2,
  },
});
