// @ts-check
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} BundledPackage a package that has code in a bundle
 * @property {string} name
 * @property {string} version
 * @property {string} license as SPDX writes it
 * @property {string} text its licence in full
 */

/**
 * Finds out which packages a bundle holds, from the modules that were written into it.
 * @param {(packages: readonly BundledPackage[]) => { fileName: string, source: string } | undefined} use may give a file to be written beside the bundle
 * @returns {import('rolldown').Plugin}
 */
export function bundledPackages(use) {
  return {
    name: 'regtar:bundled-packages',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((output) =>
        output.type === 'chunk' ? Object.keys(output.modules) : [],
      );
      // A module may itself be made of a bundle, as the report page's script is.
      const inner = modules.flatMap(
        (id) => /** @type {string[]} */ (this.getModuleInfo(id)?.meta['bundledModules'] ?? []),
      );
      const file = use(packagesOf([...modules, ...inner]));
      if (file !== undefined) this.emitFile({ type: 'asset', ...file });
    },
  };
}

/** What the licences ask for: each in full, with the name of what it covers. @param {readonly BundledPackage[]} packages */
export function licenseTexts(packages) {
  return packages
    .map(({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text.trim()}\n`)
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** @param {readonly string[]} modules @returns {BundledPackage[]} sorted by name */
function packagesOf(modules) {
  const folders = new Set(modules.flatMap((id) => /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? []));
  return [...folders]
    .map(readPackage)
    .sort((left, right) =>
      left.name < right.name ? -1 : left.name > right.name ? 1 : left.version < right.version ? -1 : 1,
    );
}

/** @param {string} folder @returns {BundledPackage} */
function readPackage(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (typeof license !== 'string') throw new Error(`${name} names no licence: it cannot be shipped`);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence text: it cannot be shipped`);
  return { name, version, license, text: readFileSync(join(folder, file), 'utf8') };
}
