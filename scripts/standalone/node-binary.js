// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What postject looks for in a Node that may carry a program: Node's documentation of single executable applications. */
export const sentinelFuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/**
 * @typedef {object} NodeBinary
 * @property {string} path
 * @property {Readonly<Record<string, string>>} versions its own `process.versions`
 * @property {string} arch
 * @property {string | undefined} license the text that came with it
 */

/**
 * The Node to embed: the one that runs this, a file, or a version, which the npm package `node-linux-…` brings.
 * @param {string | undefined} wanted a path or a version such as 24.11.1
 * @param {string} cache folder for what was fetched
 * @returns {NodeBinary}
 */
export function findNode(wanted, cache) {
  const path =
    wanted === undefined
      ? process.execPath
      : /^[0-9]+\.[0-9]+\.[0-9]+$/.test(wanted)
        ? fetchNode(wanted, process.arch, cache)
        : wanted;
  if (!existsSync(path)) throw new Error(`there is no Node at ${path}`);
  if (!readFileSync(path).includes(sentinelFuse))
    throw new Error(
      `${path} cannot carry a program (a Node of a distribution that keeps its parts in shared libraries?): name another with --node`,
    );
  const { versions, arch } = JSON.parse(
    run(path, ['-p', 'JSON.stringify({ versions: process.versions, arch: process.arch })']),
  );
  const license = [
    join(dirname(path), '../LICENSE'),
    ...(path.startsWith('/usr/bin/') ? ['/usr/share/doc/nodejs/LICENSE'] : []),
  ].find((file) => existsSync(file));
  return { path, versions, arch, license: license === undefined ? undefined : readFileSync(license, 'utf8') };
}

/**
 * Node for Linux, from the npm package `node-linux-…`.
 * @param {string} version such as 24.11.1
 * @param {string} architecture x64 or arm64
 * @param {string} cache folder for what was fetched
 * @returns {string} the path of the program
 */
export function fetchNode(version, architecture, cache) {
  const name = `node-linux-${architecture}`;
  const folder = join(cache, `${name}-${version}`);
  const binary = join(folder, 'package/bin/node');
  if (existsSync(binary)) return binary;
  const partial = `${folder}.part`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const [packed] = JSON.parse(pack(`${name}@${version}`, partial));
  run('tar', ['-xzf', join(partial, packed.filename), '-C', partial, 'package/bin/node', 'package/LICENSE']);
  rmSync(join(partial, packed.filename));
  renameSync(partial, folder);
  return binary;
}

/** @param {string} wanted @param {string} folder */
function pack(wanted, folder) {
  try {
    return run('npm', ['pack', '--json', '--pack-destination', folder, wanted]);
  } catch (cause) {
    throw new Error(
      `${wanted} cannot be had from npm's registry; build for this machine alone: --arch ${process.arch}`,
      {
        cause,
      },
    );
  }
}

/**
 * Runs a program to its end. @param {string} program @param {readonly string[]} args
 * @returns its standard output
 */
export function run(program, args) {
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (result.error) throw result.error;
  if (result.status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${result.status}\n${result.stderr}`);
  return result.stdout;
}
