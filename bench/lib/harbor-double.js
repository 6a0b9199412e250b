// @ts-check
import { rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const source = fileURLToPath(new URL('../../test/harbor/double/start.ts', import.meta.url));

/**
 * Loads the tests' Harbor double, which is TypeScript, as a program that any Node runs.
 * @param {string} file where it is written
 * @returns {Promise<import('../../test/harbor/double/start.ts')>}
 */
export async function loadHarborDouble(file) {
  rmSync(file, { force: true });
  const bundle = await rolldown({ input: source, platform: 'node', external: [/^node:/] });
  await bundle.write({ file, format: 'esm' });
  await bundle.close();
  return import(pathToFileURL(file).href);
}
