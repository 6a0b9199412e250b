import { readFileSync } from 'node:fs';
import { defineConfig } from 'rolldown';
import { bundledPackages, licenseTexts } from './scripts/bundle/bundled-packages-plugin.js';
import { reportPage } from './scripts/report-page-plugin.js';

const { dependencies, version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

/** The package ships bundled chunks: a command loads what it runs and nothing else, which halves start-up. */
export default defineConfig({
  input: { index: 'src/index.ts', main: 'src/cli/main.ts' },
  platform: 'node',
  transform: { define: { REGTAR_VERSION: JSON.stringify(version) } },
  // What is not installed beside the package but is in it: the report page's script.
  plugins: [
    reportPage(),
    bundledPackages((packages) => ({ fileName: 'THIRD-PARTY.txt', source: licenseTexts(packages) })),
  ],
  external: (id) =>
    id.startsWith('node:') || Object.keys(dependencies).some((name) => id === name || id.startsWith(`${name}/`)),
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    cleanDir: false,
  },
});
