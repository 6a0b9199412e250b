import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { archive, directory, file, hardLink, symlink, type TarDialect } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { seekMembers, streamMembers } from './support/members.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

type Spec = {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'hardlink' | 'symlink';
  readonly body: Uint8Array;
  readonly target: string;
  readonly dialect: TarDialect;
};

const component = fc.stringMatching(/^[a-z0-9_.äé-]{1,60}$/).filter((text) => text !== '.' && text !== '..');
const path = fc.array(component, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
const spec: fc.Arbitrary<Spec> = fc.record({
  path,
  kind: fc.constantFrom('file', 'file', 'file', 'directory', 'hardlink', 'symlink'),
  body: fc.uint8Array({ maxLength: 3000 }),
  target: path,
  dialect: fc.constantFrom('gnu', 'pax'),
});
const specs = fc.array(spec, { minLength: 1, maxLength: 12 });

function build(list: readonly Spec[]): Buffer[] {
  return list.map(({ path: name, kind, body, target, dialect }) => {
    if (kind === 'file') return file(name, body, { dialect });
    if (kind === 'directory') return directory(name, { dialect });
    return kind === 'hardlink' ? hardLink(name, target, { dialect }) : symlink(name, target, { dialect });
  });
}

function line(kind: string, name: string, target: string, content: Uint8Array | undefined): string {
  return [kind, name, target, content === undefined ? '' : digestOf(content)].join(' ');
}

async function ours(bytes: Uint8Array, read = seekMembers): Promise<string[]> {
  return (await read(bytes)).members.map(({ kind, path: name, target, content }) => line(kind, name, target, content));
}

async function tarStream(bytes: Uint8Array): Promise<string[]> {
  const lines: string[] = [];
  const kinds: Readonly<Record<string, string>> = {
    file: 'file',
    directory: 'directory',
    link: 'hardlink',
    symlink: 'symlink',
  };
  for await (const entry of Readable.from([bytes]).pipe(extract())) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const { type, name, linkname } = entry.header;
    lines.push(
      line(
        kinds[type ?? ''] ?? 'other',
        type === 'directory' ? `${name.replace(/\/$/, '')}/` : name,
        linkname ?? '',
        type === 'file' ? Buffer.concat(chunks) : undefined,
      ),
    );
  }
  return lines;
}

describe('on any archive', () => {
  it('both of our readers yield what tar-stream yields', async () => {
    await fc.assert(
      fc.asyncProperty(specs, fc.integer({ min: 1, max: 5000 }), async (list, chunkBytes) => {
        const bytes = archive(build(list));
        const expected = await tarStream(bytes);
        expect(await ours(bytes)).toEqual(expected);
        expect(await ours(bytes, (all) => streamMembers(all, chunkBytes))).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it('GNU tar lists the same names', async () => {
    await fc.assert(
      fc.asyncProperty(specs, async (list) => {
        const bytes = archive(build(list));
        const tar = folder.file('a.tar');
        writeFileSync(tar, bytes);
        const listed = execFileSync('tar', ['--quoting-style=literal', '-tf', tar], {
          encoding: 'utf8',
          env: { ...process.env, LC_ALL: 'C' },
        });
        expect((await seekMembers(bytes)).members.map((member) => member.path)).toEqual(listed.trimEnd().split('\n'));
      }),
      { numRuns: 25 },
    );
  });
});

describe('a damaged archive', () => {
  const list: Spec[] = [
    { path: 'a', kind: 'file', body: Buffer.alloc(700, 'a'), target: '', dialect: 'gnu' },
    { path: `${'long/'.repeat(30)}b`, kind: 'file', body: Buffer.alloc(1500, 'b'), target: '', dialect: 'gnu' },
    { path: `${'pax/'.repeat(40)}c`, kind: 'file', body: Buffer.alloc(40, 'c'), target: '', dialect: 'pax' },
    {
      path: `${'link/'.repeat(30)}d`,
      kind: 'hardlink',
      body: Buffer.alloc(0),
      target: `${'long/'.repeat(30)}b`,
      dialect: 'gnu',
    },
    { path: 'e', kind: 'file', body: Buffer.alloc(3000, 'e'), target: '', dialect: 'gnu' },
  ];
  const whole = archive(build(list), { recordBytes: 10_240 });

  it('cut at every 512 bytes, and one byte beside: yields the members before the cut, right, and nothing else', async () => {
    const expected = await ours(whole);
    const problems = new Set<string>();
    for (let cut = 0; cut <= whole.length; cut += 512) {
      for (const length of [cut - 1, cut, cut + 1]) {
        if (length < 0 || length > whole.length) continue;
        const bytes = whole.subarray(0, length);
        const seen = await seekMembers(bytes);
        const got = seen.members.map(({ kind, path: name, target, content }) => line(kind, name, target, content));
        expect(got).toEqual(expected.slice(0, got.length));
        expect(await streamMembers(bytes, 1000)).toEqual(seen);
        if (length > 0 && got.length < expected.length)
          expect(seen.problems.length, `cut at ${length}`).toBeGreaterThan(0);
        for (const { code } of seen.problems) problems.add(code);
      }
    }
    expect([...problems]).toEqual(['TAR_CUT']);
  });

  it('bytes flipped anywhere: both readers agree, end, and lose no member without saying so', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 5 }),
        async (flips) => {
          const bytes = Buffer.from(whole);
          for (const [at, mask] of flips) bytes[at] = (bytes[at] ?? 0) ^ mask;
          const seen = await seekMembers(bytes);
          expect(await streamMembers(bytes, 777)).toEqual(seen);
          // A flip in a header's block loses the member and is told; only bodies and the bodies of long names can change unseen.
          if (seen.problems.length === 0) expect(seen.members).toHaveLength(list.length);
        },
      ),
      { numRuns: 300 },
    );
  });
});
