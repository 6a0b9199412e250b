import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { summarize } from '../../src/content/summarize.ts';
import { readManifest } from '../../src/content/read-manifest.ts';
import { RegtarError } from '../../src/errors.ts';
import { digestAlgorithm, digestOf } from '../../src/oci/digest.ts';
import { openSource } from '../../src/source/open-source.ts';
import type { OpenSourceOptions } from '../../src/source/options.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Much of what storage may look like: history, links between members, empty links, an image without its layer. */
const storage = buildStorage((s) => {
  const nginx = s.image('library/nginx', ['1.27', 'latest'], { layers: ['base', 'nginx'] });
  const app = s.index('team/deep/er/app', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
  const old = s.image('team/old', 'v1', { algorithm: 'sha512' });
  const untagged = s.image('team/old', undefined, { layers: ['more'] });
  s.write(storagePaths.currentLink('team/old', 'empty'), '');
  return { nginx, app, old, untagged };
});
const aliased = {
  aliases: [
    { digest: storage.built.nginx.digest, path: 'skopeo/nginx/manifest', kind: 'hard' as const },
    { digest: storage.built.old.digest, path: 'skopeo/old/manifest', kind: 'symbolic' as const },
  ],
};

let count = 0;
/** A tar of its own in a folder of its own. */
function tarFile(bytes: Uint8Array = storage.tar(aliased)): string {
  const path = folder.file(String(count++), 'docker.tar');
  mkdirSync(dirname(path));
  writeFileSync(path, bytes);
  return path;
}

/** Writes an index. @returns its file */
async function makeIndex(tar: string, options: OpenSourceOptions = {}): Promise<string> {
  const backup = await openSource([tar], { ...options, recordIndex: true });
  try {
    await readCatalog(backup);
    return backup.saveIndex?.().file ?? '';
  } finally {
    await backup.close();
  }
}

/** Everything that a backup says, contents included, and what was noticed on the way. */
async function look(
  tar: string,
  options: OpenSourceOptions = {},
): Promise<{ readonly seen: object; readonly notices: readonly string[] }> {
  const notices: string[] = [];
  const backup = await openSource([tar], { ...options, onNotice: (text) => notices.push(text) });
  try {
    const catalog = await readCatalog(backup);
    const store = openContentStore(backup, catalog);
    const { problems, ...summary } = summarize(catalog, store);
    const seen = {
      summary,
      problems,
      tags: [...catalog.repositories()].map((repository) => [
        repository,
        [...catalog.tags(repository)],
        [...catalog.lostTags(repository)],
        [...catalog.revisions(repository)],
        [...catalog.layers(repository)],
      ]),
      blobs: [...catalog.blobs()].map((digest) => [
        digest,
        createHash(digest.startsWith('sha256') ? 'sha256' : 'sha512')
          .update(store.readSmall(digest))
          .digest('hex'),
      ]),
    };
    return { seen, notices };
  } finally {
    await backup.close();
  }
}

/** Changes a file behind everybody's back: its size and time stay. */
function tamper(path: string, change: (bytes: Buffer) => void): void {
  const { atime, mtime } = statSync(path);
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

/** Times that a file system keeps to the millisecond, so that they can be set again. */
function settle(path: string): void {
  utimesSync(path, 1_700_000_000, 1_700_000_000);
}

describe('with its index', () => {
  it('a tar says the same as without', async () => {
    for (const tar of [
      tarFile(),
      tarFile(storage.tar({ ...aliased, dialect: 'pax', order: 'links-first' })),
      tarFile(readFileSync(fixturePath)),
    ]) {
      const { seen } = await look(tar);
      await makeIndex(tar);
      for (const keep of ['all', 'small'] as const) expect(await look(tar, { keep })).toEqual({ seen, notices: [] });
    }
  });

  it('no header and no small blob is read again: they may be gone', async () => {
    const tar = tarFile();
    settle(tar);
    const { seen } = await look(tar);
    await makeIndex(tar);
    // Between the sampled blocks, which begin with the first and end with the last.
    const links = readFileSync(tar).indexOf('_manifests/revisions');
    const manifest = readFileSync(tar).indexOf(storage.blob(storage.built.app.digest));
    tamper(tar, (bytes) => {
      const isSampled = (at: number): boolean =>
        Array.from({ length: 16 }, (_, sample) => Math.floor(((bytes.length - 4096) * sample) / 15)).some(
          (start) => at >= start && at < start + 4096,
        );
      for (const at of [links, manifest])
        for (let byte = at; byte < at + 20; byte++) if (!isSampled(byte)) bytes[byte] = 255;
    });
    const withIndex = await look(tar).catch((error: unknown) => error);
    const without = await look(tar, { indexFile: folder.file('none') }).catch((error: unknown) => error);
    const isBig = statSync(tar).size > 16 * 4096;
    expect(isBig).toBe(true);
    expect(withIndex).toEqual({ seen, notices: [] });
    expect(without).not.toMatchObject({ seen });
  });

  it('damage of the tar is told again', async () => {
    const whole = storage.tar(aliased);
    const tar = tarFile(whole.subarray(0, whole.length - 20_000));
    const { seen } = await look(tar);
    expect(JSON.stringify(seen)).toContain('"TAR_CUT"');
    await makeIndex(tar);
    expect(await look(tar)).toEqual({ seen, notices: [] });
  });

  it('parts of a tar have one together, beside the first', async () => {
    const bytes = storage.tar(aliased);
    const first = folder.file('parts', 'docker.tar.aa');
    mkdirSync(dirname(first));
    writeFileSync(first, bytes.subarray(0, 30_000));
    writeFileSync(folder.file('parts', 'docker.tar.ab'), bytes.subarray(30_000));
    const { seen } = await look(first);
    expect(await makeIndex(first)).toBe(`${first}.regtar-index`);
    expect(await look(first)).toEqual({ seen, notices: [expect.stringContaining('as one archive of 2 parts')] });
  });
});

describe('an index that does not belong to its tar is not used, and said so', () => {
  it.each<[string, RegExp, (tar: string) => void]>([
    ['the tar has grown', /another size/, (tar) => writeFileSync(tar, Buffer.alloc(10_240), { flag: 'a' })],
    ['the tar was written again', /written to/, (tar) => utimesSync(tar, 1_700_000_000, 1_700_000_001)],
    [
      'size and time are the same, the bytes are not',
      /other bytes/,
      (tar) => tamper(tar, (bytes) => void bytes.write('docker/registry/v3', 0)),
    ],
  ])('%s', async (_title, words, change) => {
    const tar = tarFile();
    settle(tar);
    const index = await makeIndex(tar);
    change(tar);
    const { seen } = await look(tar, { indexFile: folder.file('none') });
    const { seen: found, notices } = await look(tar);
    expect(found).toEqual(seen);
    expect(notices).toEqual([expect.stringMatching(words)]);
    expect(notices[0]).toContain(`INDEX_STALE: the saved index ${index} is ignored`);
  });

  it('made again, it is used again', async () => {
    const tar = tarFile();
    await makeIndex(tar);
    writeFileSync(tar, storage.tar());
    expect((await look(tar)).notices).toHaveLength(1);
    await makeIndex(tar);
    expect((await look(tar)).notices).toEqual([]);
  });
});

describe('a damaged or hostile index', () => {
  let tar = '';
  let index = '';
  let whole = Buffer.alloc(0);
  let expected: object = {};
  beforeAll(async () => {
    tar = tarFile();
    index = await makeIndex(tar);
    whole = readFileSync(index);
    expected = (await look(tar)).seen;
  });

  it('bytes changed anywhere: never another answer, never a failure', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
        async (flips) => {
          const bytes = Buffer.from(whole);
          for (const [at, mask] of flips) bytes[at] = (bytes[at] ?? 0) ^ mask;
          writeFileSync(index, bytes);
          expect((await look(tar)).seen).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('cut anywhere, or with something behind: it is not used', async () => {
    for (const bytes of [
      ...Array.from({ length: 40 }, (_, part) => whole.subarray(0, Math.floor((whole.length * part) / 40))),
      whole.subarray(0, -1),
      Buffer.concat([whole, Buffer.alloc(1)]),
    ]) {
      writeFileSync(index, bytes);
      expect(await look(tar)).toEqual({ seen: expected, notices: [expect.stringContaining('INDEX_STALE')] });
    }
  });

  it('a table that was edited by hand: it is not used, whatever it says', async () => {
    const text = `"modified":${statSync(tar).mtimeMs}`;
    const bytes = Buffer.from(whole);
    const at = bytes.indexOf(text);
    expect(at).toBeGreaterThan(0);
    bytes.write(
      text.replace(/[0-9]/, (digit) => String((Number(digit) + 1) % 10)),
      at,
    );
    writeFileSync(index, bytes);
    expect(await look(tar)).toEqual({ seen: expected, notices: [expect.stringContaining('it is damaged')] });
  });

  /** Everything hashes right, as somebody would make it who means harm. */
  function forge(
    changeTable: (
      table: { size: number; blocks: { kind: string; at: number; length: number; sha256: string }[] } & Record<
        string,
        unknown
      >,
    ) => void,
    changeBlocks: (blocks: Buffer) => void = () => undefined,
  ): Buffer {
    const at = whole.readUIntBE(whole.length - 56 + 2, 6);
    const table = JSON.parse(whole.toString('utf8', at, whole.length - 56)) as Parameters<typeof changeTable>[0];
    const blocks = Buffer.from(whole.subarray(0, at));
    changeBlocks(blocks);
    for (const block of table.blocks)
      block.sha256 = createHash('sha256')
        .update(blocks.subarray(block.at, block.at + block.length))
        .digest('hex');
    changeTable(table);
    const json = Buffer.from(JSON.stringify(table));
    const footer = Buffer.from(whole.subarray(whole.length - 56));
    createHash('sha256').update(json).digest().copy(footer, 8);
    return Buffer.concat([blocks, json, footer]);
  }

  it.each<[string, () => Buffer]>([
    ['a block beyond its end', () => forge(({ blocks }) => blocks.forEach((block) => (block.at += 1e12)))],
    ['a block of an enormous length', () => forge(({ blocks }) => blocks.forEach((block) => (block.length = 2 ** 40)))],
    ['a negative place', () => forge(({ blocks }) => blocks.forEach((block) => (block.at = -1)))],
    ['blocks of no known kind', () => forge(({ blocks }) => blocks.forEach((block) => (block.kind = 'other')))],
    ['no table at all', () => forge((table) => Object.keys(table).forEach((key) => delete table[key]))],
    [
      'entries made of nothing but ones',
      () =>
        forge(
          () => undefined,
          (blocks) => void blocks.fill(255),
        ),
    ],
    [
      'copies that are not there',
      () => forge((table) => void (table.blocks = table.blocks.filter(({ kind }) => kind !== 'page'))),
    ],
    ['pages for entries', () => forge(({ blocks }) => blocks.forEach((block) => (block.kind = 'entries')))],
  ])('%s: it is not used, or its copies are not', async (_title, bytes) => {
    writeFileSync(index, bytes());
    const { seen, notices } = await look(tar);
    expect(seen).toEqual(expected);
    expect(notices).toEqual([expect.stringContaining('INDEX_STALE')]);
  });

  it('any forged entry: an answer or a refusal by name, and no blob with another digest passes for right', async () => {
    const { blocks } = JSON.parse(
      whole.toString('utf8', whole.readUIntBE(whole.length - 54, 6), whole.length - 56),
    ) as { blocks: { kind: string; at: number; length: number }[] };
    const entries = blocks.find(({ kind }) => kind === 'entries') ?? { at: 0, length: 1 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(entries.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        async (puts) => {
          writeFileSync(
            index,
            forge(
              () => undefined,
              (bytes) => puts.forEach(([at, value]) => (bytes[entries.at + at] = value)),
            ),
          );
          const backup = await openSource([tar]);
          try {
            const catalog = await readCatalog(backup);
            const store = openContentStore(backup, catalog);
            for (const repository of catalog.repositories()) {
              for (const digest of catalog.revisions(repository)) {
                const bytes = orNamed(() => readManifest(store, digest).bytes);
                if (bytes !== undefined) expect(digestOf(bytes, digestAlgorithm(digest))).toBe(digest);
              }
            }
          } catch (error) {
            expect(error).toBeInstanceOf(RegtarError);
          } finally {
            await backup.close();
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** @returns undefined where it was refused by name */
function orNamed<Result>(step: () => Result): Result | undefined {
  try {
    return step();
  } catch (error) {
    expect(error).toBeInstanceOf(RegtarError);
    return undefined;
  }
}

describe('regtar index', () => {
  it('writes beside the tar; inspect, list and verify say the same with it', async () => {
    const tar = tarFile(readFileSync(fixturePath));
    const commands = [
      ['inspect', tar, '--json'],
      ['list', tar, '--untagged'],
      ['list', tar, '--json'],
      ['verify', tar, '--json'],
    ];
    const before = [];
    for (const command of commands) before.push(await regtarDone(command));
    const report = await regtarJson<{ index: string; entries: number; copies: number; bytes: number }>(['index', tar]);
    expect(report).toMatchObject({ index: `${tar}.regtar-index`, bytes: statSync(`${tar}.regtar-index`).size });
    expect(report.copies).toBeGreaterThan(20);
    for (const [index, command] of commands.entries()) {
      const after = await regtarDone(command);
      const timeless = (text: string): string => text.replace(/"seconds": [0-9.]+/, '');
      expect(timeless(after.stdout)).toEqual(timeless(before[index]?.stdout ?? ''));
      expect(after.stderr).not.toContain('INDEX_STALE');
    }
  });

  it('export with an index gives the same bytes', async () => {
    const tar = tarFile(readFileSync(fixturePath));
    await regtarDone(['export', tar, folder.file('out1.tar'), '--format', 'oci']);
    await regtarDone(['index', tar]);
    await regtarDone(['export', tar, folder.file('out2.tar'), '--format', 'oci']);
    expect(readFileSync(folder.file('out2.tar')).equals(readFileSync(folder.file('out1.tar')))).toBe(true);
  });

  it('--index-file: nothing is written beside the tar, and every command finds it', async () => {
    const tar = tarFile();
    const index = folder.file('elsewhere.index');
    await regtarDone(['index', tar, '--index-file', index]);
    expect(readdirSync(dirname(tar))).toEqual(['docker.tar']);
    for (const command of ['inspect', 'list', 'verify'])
      expect((await regtar([command, tar, '--index-file', index])).stderr).not.toContain('INDEX_STALE');
    settle(tar);
    for (const command of ['inspect', 'list', 'verify'])
      expect((await regtar([command, tar, '--index-file', index])).stderr).toContain('INDEX_STALE');
  });

  it('a stale index is a note on standard error; the answer is there', async () => {
    const tar = tarFile();
    const { stdout } = await regtarDone(['list', tar]);
    await regtarDone(['index', tar]);
    settle(tar);
    const after = await regtarDone(['list', tar]);
    expect(after.stdout).toBe(stdout);
    expect(after.stderr).toMatch(
      /^regtar: INDEX_STALE: the saved index .*docker\.tar\.regtar-index is ignored: .*\nnote: 1 tag .*\n$/,
    );
  });

  it.each<[string, (tar: string) => string[], RegExp]>([
    [
      'of two tars',
      (tar) => ['index', tar, '--source', tar.replace('docker.tar', 'other.tar')],
      /USAGE: an index belongs to one tar/,
    ],
    ['of standard input', () => ['index', '-'], /USAGE: standard input cannot have an index/],
    ['of a folder', (tar) => ['index', dirname(tar)], /USAGE: .*, a folder, cannot have an index/],
    ['of a compressed tar', (tar) => ['index', `${tar}.gz`], /USAGE: .*, which is compressed, cannot have an index/],
    [
      'for two tars',
      (tar) => ['list', tar, '--source', tar.replace('docker.tar', 'other.tar'), '--index-file', 'x'],
      /USAGE: an index belongs to one tar/,
    ],
  ])('an index %s is refused', async (_title, args, words) => {
    const tar = tarFile();
    copyFileSync(tar, tar.replace('docker.tar', 'other.tar'));
    writeFileSync(`${tar}.gz`, gzipSync(readFileSync(tar)));
    const { code, stderr } = await regtar(args(tar), { input: readFileSync(tar) });
    expect(code).toBe(2);
    expect(stderr).toMatch(words);
    expect(readdirSync(dirname(tar)).sort()).toEqual(['docker.tar', 'docker.tar.gz', 'other.tar']);
  });

  it('of several tars, each is used that has one', async () => {
    const one = tarFile();
    const two = tarFile(buildStorage((s) => s.image('second', 'v1')).tar());
    const plain = await regtarDone(['list', one, '--source', two]);
    await regtarDone(['index', one]);
    await regtarDone(['index', two]);
    expect((await regtarDone(['list', one, '--source', two])).stdout).toBe(plain.stdout);
  });

  it('nothing is left where it cannot be written, or the tar holds no registry', async () => {
    const tar = tarFile();
    const missing = await regtar(['index', tar, '--index-file', folder.file('no', 'folder', 'x')]);
    // A folder that is not there was mistyped: wrong use, found before the scan.
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('OUTPUT_UNWRITABLE');
    const foreign = tarFile(buildStorage((s) => s.write('../../../readme', 'x')).tar());
    expect((await regtar(['index', foreign])).code).toBe(1);
    expect(readdirSync(dirname(foreign))).toEqual(['docker.tar']);
  });

  it('what a killed run left is removed by the next', async () => {
    const tar = tarFile();
    writeFileSync(`${tar}.regtar-index.regtar-999999999`, 'half');
    await regtarDone(['index', tar]);
    expect(readdirSync(dirname(tar)).sort()).toEqual(['docker.tar', 'docker.tar.regtar-index']);
  });
});
