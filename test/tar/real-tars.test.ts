import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { openRandomAccess } from '../../src/io/random-access.ts';
import { scanTar } from '../../src/tar/scan.ts';
import { scanTarStream } from '../../src/tar/stream-scan.ts';
import { havePeer } from '../support/peers.ts';
import { file, header, longName, paxHeader } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { seekMembers, streamMembers, type Seen } from './support/members.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
let serial = 0;

/** A new folder with these files. */
function tree(files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = folder.file(`tree-${serial++}`);
  mkdirSync(root);
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
  return root;
}

function tar(root: string, ...words: string[]): Buffer {
  const out = join(root, '..', `out-${serial++}.tar`);
  execFileSync('tar', [...words.slice(0, 1), '-f', out, ...words.slice(1)], {
    cwd: root,
    env: { ...process.env, LC_ALL: 'C' },
  });
  return readFileSync(out);
}

/** Path and digest of every file, as both of our readers give them; folders and links by path and target. */
async function read(bytes: Uint8Array): Promise<{ lines: string[]; problems: string[] }> {
  const seen = linesOf(await seekMembers(bytes));
  expect(linesOf(await streamMembers(bytes, 10_240))).toEqual(seen);
  return seen;
}

function linesOf({ members, problems }: Seen): { lines: string[]; problems: string[] } {
  const lines = members.map(({ path, kind, target, content }) =>
    [kind, path, target, content === undefined ? '' : digestOf(content)].filter((part) => part !== '').join(' '),
  );
  return { lines: lines.sort(), problems: problems.map(({ code }) => code) };
}

const deep = `docker/registry/v2/repositories/${'team/'.repeat(8)}app/_manifests/revisions/sha256/${'ab'.repeat(32)}/link`;
const digestLine = (path: string, content: string): string => `file ${path} ${digestOf(Buffer.from(content))}`;

describe('archives of the real tar', () => {
  it.each(['gnu', 'oldgnu', 'posix', 'ustar'])('--format=%s', async (format) => {
    const root = tree({ [deep]: 'content', short: 'x', empty: '' });
    linkSync(join(root, 'short'), join(root, 'zz-hard'));
    symlinkSync('../short', join(root, 'docker', 'soft'));
    const { lines, problems } = await read(tar(root, '-c', `--format=${format}`, '--sort=name', '.'));
    expect(problems).toEqual([]);
    expect(lines.filter((line) => !line.startsWith('directory'))).toEqual([
      digestLine(`./${deep}`, 'content'),
      digestLine('./empty', ''),
      digestLine('./short', 'x'),
      'hardlink ./zz-hard ./short',
      'symlink ./docker/soft ../short',
    ]);
  });

  it('--format=v7', async () => {
    expect(await read(tar(tree({ 'a/b': 'content' }), '-c', '--format=v7', 'a'))).toEqual({
      lines: ['directory a/', digestLine('a/b', 'content')],
      problems: [],
    });
  });

  it.each([
    ['--format=gnu'],
    ['--format=posix', '--sparse-version=0.0'],
    ['--format=posix', '--sparse-version=0.1'],
    ['--format=posix', '--sparse-version=1.0'],
  ])('--sparse %s', async (...format) => {
    const root = tree({});
    const path = join(root, 'holes');
    const descriptor = openSync(path, 'w');
    // More runs than one header holds, so that maps go on behind it.
    for (let run = 0; run < 40; run++)
      writeSync(descriptor, Buffer.alloc(4096, 65 + (run % 26)), 0, 4096, run * 65_536);
    closeSync(descriptor);
    truncateSync(path, 3_000_001);
    const { lines, problems } = await read(tar(root, '-c', '--sparse', '--hole-detection=raw', ...format, 'holes'));
    expect(problems).toEqual([]);
    expect(lines).toEqual([`file holes ${digestOf(readFileSync(path))}`]);
  });

  it('-r and -u add members again behind the old ones, -A joins archives', async () => {
    const root = tree({ a: 'old', b: 'x' });
    const first = folder.file('appended.tar');
    execFileSync('tar', ['-cf', first, 'a', 'b'], { cwd: root });
    writeFileSync(join(root, 'a'), 'new');
    execFileSync('tar', ['-rf', first, 'a'], { cwd: root });
    execFileSync('tar', ['-cf', folder.file('second.tar'), 'b'], { cwd: root });
    execFileSync('tar', ['-Af', first, folder.file('second.tar')]);
    const seen = await seekMembers(readFileSync(first));
    expect(seen.members.map(({ path, content }) => `${path} ${content?.toString() ?? ''}`)).toEqual([
      'a old',
      'b x',
      'a new',
      'b x',
    ]);
    expect(seen.problems).toEqual([]);
  });

  it.each([1, 20, 512, 2048])('--blocking-factor=%i', async (factor) => {
    expect(await read(tar(tree({ a: 'x' }), '-c', '-b', String(factor), 'a'))).toEqual({
      lines: [digestLine('a', 'x')],
      problems: [],
    });
  });

  it.skipIf(!havePeer('busybox'))('of busybox', async () => {
    const root = tree({ [deep]: 'content' });
    const out = folder.file('busybox.tar');
    execFileSync('busybox', ['tar', '-cf', out, 'docker'], { cwd: root });
    const { lines, problems } = await read(readFileSync(out));
    expect(lines.filter((line) => line.startsWith('file'))).toEqual([digestLine(deep, 'content')]);
    expect(problems).toEqual([]);
  });

  it('any tree of files, in any format: the bytes that went in come out', async () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9_.äß€ -]{1,50}$/).filter((text) => !/^\.+$/.test(text));
    const files = fc.dictionary(
      fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/')),
      fc.uint8Array({ maxLength: 2000 }),
      { minKeys: 1, maxKeys: 8 },
    );
    const noClash = files.filter((all) =>
      Object.keys(all).every((path) => !Object.keys(all).some((other) => other.startsWith(`${path}/`))),
    );
    await fc.assert(
      fc.asyncProperty(noClash, fc.constantFrom('gnu', 'posix'), async (all, format) => {
        const { lines } = await read(tar(tree(all), '-c', `--format=${format}`, '.'));
        expect(lines.filter((line) => line.startsWith('file'))).toEqual(
          Object.entries(all)
            .map(([path, bytes]) => `file ./${path} ${digestOf(bytes)}`)
            .sort(),
        );
      }),
      { numRuns: 25 },
    );
  });
});

describe('members above 8 GiB', () => {
  const size = 9 * 2 ** 30 + 5;

  it.each<[string, Buffer]>([
    ['a size in base-256', Buffer.concat([longName(deep), header({ path: deep, size })])],
    [
      'a size in a pax record',
      Buffer.concat([
        paxHeader({ path: deep, size: String(size) }),
        header({ path: 'short', size: 0, dialect: 'pax' }),
      ]),
    ],
  ])('%s', async (_title, start) => {
    const path = folder.file(`huge-${serial++}.tar`);
    const rest = Buffer.concat([file('after', 'here'), Buffer.alloc(1024)]);
    const behind = start.length + Math.ceil(size / 512) * 512;
    const descriptor = openSync(path, 'w');
    writeSync(descriptor, start, 0, start.length, 0);
    writeSync(descriptor, rest, 0, rest.length, behind);
    closeSync(descriptor);
    const access = openRandomAccess(path);
    const expected = [`${deep} ${size} at ${start.length}`, `after 4 at ${behind + 512}`];
    const seeking: string[] = [];
    expect(
      await scanTar(access, (member) => void seeking.push(`${member.path} ${member.size} at ${member.start}`)),
    ).toEqual([]);
    expect(seeking).toEqual(expected);
    access.close();
    const zeros = Buffer.alloc(64 * 2 ** 20);
    const streaming: string[] = [];
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield start;
      for (let left = behind - start.length; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
      yield rest;
    }
    expect(
      await scanTarStream(
        chunks(),
        (member) => void streaming.push(`${member.path} ${member.size} at ${member.start}`),
      ),
    ).toEqual([]);
    expect(streaming).toEqual(expected);
  });
});
