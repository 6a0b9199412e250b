// Makes docker.tar and expected.json again: `node testdata/make.js [FOLDER]`. Needs docker-registry, gzip, zstd and GNU tar.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..');

// Node 20 does not run TypeScript, and what a bundle leaves outside must find node_modules: so it lies inside the checkout.
const bundle = await rolldown({
  input: join(root, 'test/support/fixture/make.ts'),
  platform: 'node',
  external: [/^node:/, 'tar-stream'],
  logLevel: 'silent',
});
const folder = mkdtempSync(join(root, '.regtar-make-'));
try {
  await bundle.write({ file: join(folder, 'make.mjs'), format: 'es' });
  const { makeFixture } = await import(pathToFileURL(join(folder, 'make.mjs')).href);
  await makeFixture(process.argv[2] ?? here);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
