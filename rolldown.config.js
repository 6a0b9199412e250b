import { readFileSync } from 'node:fs';
import { defineConfig } from 'rolldown';
import { bundledPackages, licenseTexts } from './scripts/bundle/bundled-packages-plugin.js';
import { undiciParts } from './scripts/bundle/undici-parts-plugin.js';
import { reportPage } from './scripts/report-page-plugin.js';

const { dependencies, version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

/** The package ships bundled chunks: a command loads what it runs and nothing else, which halves start-up. */
export default defineConfig({
  input: { index: 'src/index.ts', main: 'src/cli/main.ts' },
  platform: 'node',
  transform: { define: { REGTAR_VERSION: JSON.stringify(version) } },
  plugins: [
    // Its entry loads twice as much as is used, whenever a command speaks to a server.
    undiciParts(),
    // What is not installed beside the package but is in it: the report page's script.
    reportPage(),
    bundledPackages((packages) => ({ fileName: 'THIRD-PARTY.txt', source: licenseTexts(packages) })),
  ],
  external: (id) =>
    id.startsWith('node:') ||
    (id !== 'undici' && Object.keys(dependencies).some((name) => id === name || id.startsWith(`${name}/`))),
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    cleanDir: false,
  },
});
