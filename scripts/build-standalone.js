// @ts-check
// Makes build/standalone: regtar as one file, with Node in it and without, checksums, and what is inside.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleProgram } from './bundle/bundle-program.js';
import { licenseTexts } from './bundle/bundled-packages-plugin.js';
import { billOfMaterials } from './standalone/bill-of-materials.js';
import { writeExecutable } from './standalone/executable.js';
import { fetchNode, findNode, run } from './standalone/node-binary.js';
import { withLock } from './with-lock.js';

const usage = `npm run build:standalone -- [--node PATH|VERSION] [--arch x64|arm64]... [--if-changed]

  --node        the Node to embed: a file, or a version that npm's registry has; by default the one that runs this
  --arch        only for this processor (may be repeated); by default x64 and arm64. The Node for the processor that
                this machine has not comes from npm's registry
  --if-changed  do nothing when build/standalone was made from the same sources
`;

const project = fileURLToPath(new URL('../', import.meta.url));
const folder = join(project, 'build/standalone');

const { values } = parseArgs({
  options: {
    node: { type: 'string' },
    arch: { type: 'string', multiple: true, default: process.platform === 'linux' ? ['x64', 'arm64'] : [process.arch] },
    'if-changed': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) process.stdout.write(usage);
else await withLock(join(project, 'build/standalone.lock'), () => build(values));

/** @param {{ node?: string, arch: readonly string[], 'if-changed'?: boolean }} options */
async function build({ node: wanted, arch: architectures, 'if-changed': ifChanged = false }) {
  const sources = hashSources([wanted ?? process.version, ...architectures].join(' '));
  const stamp = join(folder, '.sources');
  if (ifChanged && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  const nodeCache = join(project, 'build/node');
  const node = findNode(wanted, nodeCache);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const [module, script] = await Promise.all([bundleProgram('esm'), bundleProgram('cjs')]);

  const moduleName = 'regtar.mjs';
  writeFileSync(join(folder, moduleName), `#!/usr/bin/env node\n${module.code}`);
  chmodSync(join(folder, moduleName), 0o755);
  writeList(moduleName, { packages: module.packages });
  for (const architecture of architectures) {
    const executableName = `regtar-${process.platform}-${architecture}`;
    const carrier =
      architecture === node.arch ? node.path : fetchNode(node.versions['node'] ?? '', architecture, nodeCache);
    await writeExecutable(script.code, { node: node.path, carrier }, join(folder, executableName));
    writeList(executableName, { packages: script.packages, nodeVersions: node.versions });
  }
  writeFileSync(join(folder, 'regtar.1'), run(process.execPath, [join(folder, moduleName), 'help', '--man']));
  const nodeText = node.license ?? `https://github.com/nodejs/node/blob/v${node.versions['node']}/LICENSE`;
  writeFileSync(
    join(folder, 'LICENSES.txt'),
    licenseTexts([
      { name: 'regtar', version: '', license: 'Apache-2.0', text: readFileSync(join(project, 'LICENSE'), 'utf8') },
      { name: 'Node.js', version: node.versions['node'] ?? '', license: 'MIT, and those of its parts', text: nodeText },
      ...script.packages,
    ]),
  );
  const files = readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort();
  writeFileSync(join(folder, 'SHA256SUMS'), files.map((name) => `${sha256(name)}  ${name}\n`).join(''));
  writeFileSync(stamp, sources);
  for (const name of [...files, 'SHA256SUMS'])
    process.stdout.write(`build/standalone/${name}\t${statSync(join(folder, name)).size} bytes\n`);
}

/** @param {string} name @param {Omit<Parameters<typeof billOfMaterials>[0], 'name' | 'sha256'>} inside */
function writeList(name, inside) {
  writeFileSync(
    join(folder, `${name}.cdx.json`),
    `${JSON.stringify(billOfMaterials({ name, sha256: sha256(name), ...inside }), undefined, 2)}\n`,
  );
}

/** @param {string} name */
function sha256(name) {
  return createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex');
}

/** Everything that the files are made of. @param {string} choices what was asked for */
function hashSources(choices) {
  const hash = createHash('sha256').update(choices);
  const files = ['src', 'scripts'].flatMap((room) =>
    readdirSync(join(project, room), { recursive: true, encoding: 'utf8' }).map((file) => join(room, file)),
  );
  for (const file of [...files.sort(), 'package.json', 'package-lock.json', 'LICENSE']) {
    if (statSync(join(project, file)).isFile()) hash.update(`\0${file}\0`).update(readFileSync(join(project, file)));
  }
  return hash.digest('hex');
}
