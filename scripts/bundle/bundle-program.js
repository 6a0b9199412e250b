// @ts-check
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { reportPage } from '../report-page-plugin.js';
import { bundledPackages } from './bundled-packages-plugin.js';
import { lazyBuiltins } from './lazy-builtins-plugin.js';
import { undiciParts } from './undici-parts-plugin.js';

const project = fileURLToPath(new URL('../../', import.meta.url));

/** @type {{ version: string }} */
const { version } = JSON.parse(readFileSync(`${project}package.json`, 'utf8'));

/**
 * The whole program with everything that it imports, as one module. Parts that a command does not use are in it and do not run.
 * @param {'esm' | 'cjs'} format `cjs` for the executable: Node takes nothing else there
 * @returns {Promise<{ code: string, packages: readonly import('./bundled-packages-plugin.js').BundledPackage[] }>}
 */
export async function bundleProgram(format) {
  /** @type {readonly import('./bundled-packages-plugin.js').BundledPackage[]} */
  let packages = [];
  const bundle = await rolldown({
    input: `${project}src/cli/main.ts`,
    platform: 'node',
    transform: { define: { REGTAR_VERSION: JSON.stringify(version) } },
    plugins: [undiciParts(), lazyBuiltins(), reportPage(), bundledPackages((found) => void (packages = found))],
    // Parentheses around a function make V8 compile it at once: nearly nothing of this file is run at once.
    optimization: { pifeForModuleWrappers: false },
    // How long plugins take is a warning on a busy machine, and says nothing about the program.
    checks: { bundlerTimings: false },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  try {
    // Not minified: with -v a stack trace names functions that can be found.
    const { output } = await bundle.generate({ format, codeSplitting: false, comments: false });
    if (output.length !== 1)
      throw new Error(`one file was expected, and not ${output.map(({ fileName }) => fileName).join(', ')}`);
    return { code: output[0].code, packages };
  } finally {
    await bundle.close();
  }
}
