// @ts-check
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'postject';
import { run, sentinelFuse } from './node-binary.js';

/**
 * Makes one file of Node and a program, as Node's documentation of single executable applications says. V8's code cache is put in:
 * without it, a program of this size takes half as long again to start. The cache belongs to one processor, so a program
 * that is made for another one does without.
 * @param {string} code one CommonJS module
 * @param {{ node: string, carrier: string }} nodes the Node that prepares it, and the Node of the same version that
 * carries it
 * @param {string} out
 */
export async function writeExecutable(code, { node, carrier }, out) {
  const work = mkdtempSync(`${out}.work-`);
  try {
    const main = join(work, 'regtar.cjs');
    const output = join(work, 'blob');
    const config = join(work, 'sea.json');
    const binary = join(work, 'binary');
    writeFileSync(main, code);
    const useCodeCache = carrier === node;
    writeFileSync(config, JSON.stringify({ main, output, disableExperimentalSEAWarning: true, useCodeCache }));
    run(node, ['--experimental-sea-config', config]);
    copyFileSync(carrier, binary);
    chmodSync(binary, 0o755);
    await inject(binary, 'NODE_SEA_BLOB', readFileSync(output), { sentinelFuse });
    renameSync(binary, out);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
