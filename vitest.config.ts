import { defineConfig } from 'vitest/config';
import { reportPage } from './scripts/report-page-plugin.js';

export default defineConfig({
  plugins: [reportPage()],
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/fail-on-warnings.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // Two cores: more files at once only make real registries and engines time out.
    maxWorkers: 2,
  },
});
