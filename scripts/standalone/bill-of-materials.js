// @ts-check
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** @type {Readonly<Record<string, { version: string, integrity?: string }>>} */
const locked = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')).packages;

/** @type {{ name: string, version: string, description: string, license: string }} */
const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/**
 * What is inside a file, as CycloneDX 1.6 writes it. No time and no random number: the same file has the same list.
 * @param {object} file
 * @param {string} file.name
 * @param {string} file.sha256
 * @param {readonly import('../bundle/bundled-packages-plugin.js').BundledPackage[]} file.packages
 * @param {Readonly<Record<string, string>>} [file.nodeVersions] `process.versions` of the Node in it
 */
export function billOfMaterials({ name, sha256, packages, nodeVersions }) {
  const subject = {
    type: 'application',
    'bom-ref': `${own.name}@${own.version}`,
    name: own.name,
    version: own.version,
    description: own.description,
    licenses: licenses(own.license),
    purl: `pkg:npm/${own.name}@${own.version}`,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    properties: [{ name: 'regtar:file', value: name }],
  };
  const components = [
    ...(nodeVersions === undefined ? [] : [nodeComponent(nodeVersions)]),
    ...packages.map(packageComponent),
  ];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(sha256)}`,
    version: 1,
    metadata: { component: subject },
    components,
    dependencies: [{ ref: subject['bom-ref'], dependsOn: components.map((component) => component['bom-ref']) }],
  };
}

/** @param {import('../bundle/bundled-packages-plugin.js').BundledPackage} bundled */
function packageComponent({ name, version, license }) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const entry = Object.entries(locked).find(
    ([path, { version: lockedVersion }]) => path.endsWith(`node_modules/${name}`) && lockedVersion === version,
  )?.[1];
  if (entry?.integrity === undefined) throw new Error(`${name} ${version} is not what the lock file says: run npm ci`);
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    licenses: licenses(license),
    hashes: [
      { alg: 'SHA-512', content: Buffer.from(entry.integrity.replace('sha512-', ''), 'base64').toString('hex') },
    ],
  };
}

/** Node and what it is made of. @param {Readonly<Record<string, string>>} versions */
function nodeComponent(versions) {
  const purl = `pkg:generic/node@${versions['node']}`;
  // `modules` and `napi` number interfaces, they are not parts.
  const parts = Object.entries(versions).filter(([name]) => !['node', 'modules', 'napi'].includes(name));
  return {
    type: 'platform',
    'bom-ref': purl,
    name: 'node',
    version: versions['node'],
    purl,
    licenses: licenses('MIT'),
    components: parts.map(([name, version]) => ({ type: 'library', 'bom-ref': `${purl}#${name}`, name, version })),
  };
}

/** @param {string} spdx an identifier, or an expression of several */
function licenses(spdx) {
  return spdx.includes(' ') ? [{ expression: spdx.replace(/^\((.*)\)$/, '$1') }] : [{ license: { id: spdx } }];
}

/** A UUID out of content: version 8 is for makers' own. @param {string} seed */
function uuidOf(seed) {
  const hex = createHash('sha256').update(`regtar bill of materials ${seed}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
