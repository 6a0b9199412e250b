// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { run } from '../standalone/node-binary.js';

/**
 * @typedef {object} Library a shared library, as the dynamic loader will look for it
 * @property {string} path in the image, absolute
 * @property {string} source on this machine
 */

/** What a program is linked with, its loader included. @param {string} program @returns {Library[]} */
export function sharedLibraries(program) {
  const lines = run('ldd', [program]).split('\n');
  // `libm.so.6 => /lib/…/libm.so.6 (0x…)`, and the loader alone: `/lib64/ld-linux-x86-64.so.2 (0x…)`.
  const paths = lines.flatMap((line) => /(?:^|\s)(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  if (paths.length === 0) throw new Error(`ldd tells nothing about ${program}`);
  return paths.map((path) => ({ path, source: realpathSync(path) }));
}

/**
 * @typedef {object} LibraryPackage the Debian package that a library came with
 * @property {string} name
 * @property {string} version
 * @property {string} arch
 * @property {string | undefined} copyright its licence file
 */

/** The packages that libraries belong to, sorted; none where dpkg does not manage this machine. @param {readonly Library[]} libraries @returns {LibraryPackage[]} */
export function packagesOf(libraries) {
  const found = new Map();
  for (const { path, source } of libraries) {
    const owner = ownerOf(path) ?? ownerOf(source) ?? ownerOf(`/usr${source}`) ?? ownerOf(source.replace(/^\/usr/, ''));
    if (owner === undefined || found.has(owner)) continue;
    const [name = '', version = '', arch = ''] = run('dpkg-query', [
      '--show',
      '--showformat=${Package} ${Version} ${Architecture}',
      owner,
    ]).split(' ');
    const copyright = `/usr/share/doc/${name}/copyright`;
    found.set(owner, {
      name,
      version,
      arch,
      copyright: existsSync(copyright) ? readFileSync(copyright, 'utf8') : undefined,
    });
  }
  return [...found.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** @param {string} path */
function ownerOf(path) {
  const { status, stdout } = spawnSync('dpkg-query', ['--search', path], { encoding: 'utf8' });
  return status === 0 ? stdout.split(`: ${path}`)[0]?.split('\n').at(-1) : undefined;
}

/** Names that are dialled are resolved by the C library alone: files first, then the servers of resolv.conf. */
export const nameServiceSwitch = 'passwd: files\ngroup: files\nhosts: files dns\n';
