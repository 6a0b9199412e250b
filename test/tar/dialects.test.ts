import { describe, expect, it } from 'vitest';
import {
  archive,
  directory,
  file,
  hardLink,
  header,
  longName,
  longTarget,
  member,
  padded,
  paxGlobal,
  paxHeader,
  symlink,
  type TarDialect,
} from '../support/tar-builder.ts';
import { sparseContent, sparseMember, type SparseForm } from '../support/tar-sparse-builder.ts';
import { seekMembers, streamMembers, type Seen } from './support/members.ts';

const long = `docker/registry/v2/blobs/sha256/ab/${'ab'.repeat(32)}/${'deep/'.repeat(30)}data`;

/** Both readers must say the same of every archive. */
async function read(bytes: Uint8Array): Promise<Seen> {
  const seen = await seekMembers(bytes);
  for (const chunkBytes of [100_000, 700]) expect(await streamMembers(bytes, chunkBytes)).toEqual(seen);
  return seen;
}

function summary({ members }: Seen): string[] {
  return members.map(({ path, kind, target, content }) =>
    [kind, path, target, content?.toString()].filter((part) => part !== undefined && part !== '').join(' '),
  );
}

describe('dialects', () => {
  it.each<TarDialect>(['gnu', 'pax', 'ustar', 'v7'])('%s: files, folders, links', async (dialect) => {
    const seen = await read(
      archive([
        directory('d', { dialect }),
        file('d/a', 'first', { dialect }),
        hardLink('d/b', 'd/a', { dialect }),
        symlink('d/c', 'a', { dialect }),
        file('d/empty', '', { dialect }),
      ]),
    );
    expect(summary(seen)).toEqual([
      'directory d/',
      'file d/a first',
      'hardlink d/b d/a',
      'symlink d/c a',
      'file d/empty',
    ]);
    expect(seen.members[1]?.modified).toBe(1_700_000_000);
    expect(seen.problems).toEqual([]);
  });

  it.each<TarDialect>(['gnu', 'pax'])(
    '%s: names and targets over 100 bytes, and of exactly 100 without a NUL',
    async (dialect) => {
      const exact = `${'x'.repeat(99)}y`;
      const seen = await read(
        archive([
          file(long, 'content', { dialect }),
          hardLink(`${long}-hard`, long, { dialect }),
          file(exact, 'e', { dialect }),
          file('after', 'next', { dialect }),
        ]),
      );
      expect(summary(seen)).toEqual([
        `file ${long} content`,
        `hardlink ${long}-hard ${long}`,
        `file ${exact} e`,
        'file after next',
      ]);
    },
  );

  it('ustar: a name in prefix and name', async () => {
    const path = `${'p'.repeat(120)}/${'n'.repeat(90)}`;
    expect(summary(await read(archive([file(path, 'x', { dialect: 'ustar' })])))).toEqual([`file ${path} x`]);
  });

  it('gnu: the times that stand where ustar has its prefix are not part of the name', async () => {
    const times = file('a', 'x', { dialect: 'gnu', edit: (block) => void block.write('14670000000\0', 345, 'latin1') });
    expect(summary(await read(archive([times])))).toEqual(['file a x']);
  });

  it('extended records wait for the next real member, whatever extended records stand between', async () => {
    const seen = await read(
      archive([
        longName('real-name'),
        longTarget('real-target'),
        paxHeader({ mtime: '1234.5' }),
        paxGlobal({ comment: 'x' }),
        hardLink('short', 'short-target'),
        file('after', 'x'),
      ]),
    );
    expect(summary(seen)).toEqual(['hardlink real-name real-target', 'file after x']);
    expect(seen.members[0]?.modified).toBe(1234);
  });

  it('global records hold for all that follow; local ones come first, and an empty one takes the global one back', async () => {
    const seen = await read(
      archive([
        paxGlobal({ path: 'global', mtime: '7' }),
        file('a', '1', { dialect: 'pax' }),
        paxHeader({ path: 'local' }),
        file('b', '2'),
        paxHeader({ path: '' }),
        file('c', '3'),
      ]),
    );
    expect(summary(seen)).toEqual(['file global 1', 'file local 2', 'file c 3']);
    expect(seen.members.map(({ modified }) => modified)).toEqual([7, 7, 7]);
  });

  it('a size in base-256 and one in a pax record', async () => {
    const seen = await read(
      archive([
        file('b256', 'abc', { base256: true }),
        paxHeader({ size: '4' }),
        header({ path: 'pax', size: 0, dialect: 'pax' }),
        padded(Buffer.from('four')),
        file('after', 'x'),
      ]),
    );
    expect(summary(seen)).toEqual(['file b256 abc', 'file pax four', 'file after x']);
  });

  it('checksums counted signed', async () => {
    expect(summary(await read(archive([file(Buffer.from('süß'), 'x', { checksum: 'signed' })])))).toEqual([
      'file süß x',
    ]);
  });

  it('names that are not UTF-8 do not stop anything', async () => {
    expect(summary(await read(archive([file(Buffer.from([0x66, 0xff, 0xfe]), 'x'), file('after', 'y')])))).toEqual([
      'file f\ufffd\ufffd x',
      'file after y',
    ]);
  });

  it('devices, volume labels and members of unknown kinds are passed over with what they carry', async () => {
    const seen = await read(
      archive([
        header({ path: 'null', type: '3', size: 512 }),
        header({ path: 'label', type: 'V' }),
        member({ path: 'odd', type: 'Z', body: 'whatever' }),
        file('after', 'x'),
      ]),
    );
    expect(summary(seen)).toEqual(['other null', 'other label', 'other odd', 'file after x']);
  });

  it('links carry no bytes even where a writer filled in a size', async () => {
    expect(
      summary(
        await read(
          archive([file('a', 'abc'), header({ path: 'b', type: '1', target: 'a', size: 3 }), file('after', 'x')]),
        ),
      ),
    ).toEqual(['file a abc', 'hardlink b a', 'file after x']);
  });

  it.each(['./', '/', '../'])('names that begin with %s are given as stored', async (start) => {
    expect(summary(await read(archive([file(`${start}a`, 'x')])))).toEqual([`file ${start}a x`]);
  });
});

describe('sparse members', () => {
  const forms: SparseForm[] = ['gnu', 'pax-0.0', 'pax-0.1', 'pax-1.0'];

  it.each(forms)('%s: are read right, with few runs and with more than the header holds', async (form) => {
    const few = { path: 'few', size: 5000, runs: [{ at: 1000, bytes: Buffer.from('abc') }], form };
    const runs = Array.from({ length: 60 }, (_, i) => ({
      at: i * 2048 + 512,
      bytes: Buffer.alloc(512, 65 + (i % 26)),
    }));
    const many = { path: `sparse/${'m'.repeat(120)}`, size: runs.length * 2048, runs, form };
    const none = { path: 'none', size: 4096, runs: [], form };
    const seen = await read(
      archive([sparseMember(few), sparseMember(many), sparseMember(none), file('after', 'next')]),
    );
    expect(seen.members.map(({ path }) => path)).toEqual(['few', many.path, 'none', 'after']);
    for (const [index, fields] of [few, many, none].entries())
      expect(seen.members[index]?.content?.equals(sparseContent(fields))).toBe(true);
    expect(seen.problems).toEqual([]);
  });

  it.each<[string, Uint8Array]>([
    [
      'a map that leaves the file',
      Buffer.concat([
        paxHeader({ 'GNU.sparse.realsize': '10', 'GNU.sparse.map': '8,5' }),
        file('bad', 'abcde', { dialect: 'pax' }),
      ]),
    ],
    [
      'runs that overlap',
      Buffer.concat([
        paxHeader({ 'GNU.sparse.realsize': '100', 'GNU.sparse.map': '0,4,2,4' }),
        file('bad', 'abcdefgh', { dialect: 'pax' }),
      ]),
    ],
    [
      'more bytes in the map than are stored',
      Buffer.concat([
        paxHeader({ 'GNU.sparse.realsize': '100', 'GNU.sparse.map': '0,90' }),
        file('bad', 'abc', { dialect: 'pax' }),
      ]),
    ],
    ['no size', Buffer.concat([paxHeader({ 'GNU.sparse.map': '0,3' }), file('bad', 'abc', { dialect: 'pax' })])],
    [
      'the sparse form of another tar',
      Buffer.concat([paxHeader({ 'SCHILY.realsize': '100' }), file('bad', 'abc', { dialect: 'pax' })]),
    ],
  ])('are refused by name when they cannot be: %s', async (_title, bytes) => {
    const seen = await read(archive([file('before', 'x'), bytes, file('after', 'next')]));
    expect(summary(seen)).toEqual(['file before x', 'file after next']);
    expect(seen.problems).toMatchObject([{ code: 'TAR_SPARSE', path: 'bad' }]);
  });
});

describe('what archives are made of', () => {
  it('the same path twice: both are given, in order', async () => {
    expect(summary(await read(archive([file('a', 'old'), file('a', 'new')])))).toEqual(['file a old', 'file a new']);
  });

  it('concatenated archives are one', async () => {
    const seen = await read(
      Buffer.concat([
        archive([file('a', '1')], { recordBytes: 10_240 }),
        archive([file('b', '2')], { recordBytes: 10_240 }),
      ]),
    );
    expect(summary(seen)).toEqual(['file a 1', 'file b 2']);
    expect(seen.problems).toEqual([]);
  });

  it('concatenated archives of writers that pad in different ways are one', async () => {
    const parts = [
      archive([file('a', '1')]),
      archive([file('b', '2')], { recordBytes: 10_240 }),
      archive([file('c', 'x'.repeat(9000))], { recordBytes: 10_240 }),
      archive([file('d', '4')]),
    ];
    const seen = await read(Buffer.concat(parts));
    expect(seen.members.map(({ path }) => path)).toEqual(['a', 'b', 'c', 'd']);
    expect(seen.problems).toEqual([]);
  });

  it('missing end blocks lose nothing and are told', async () => {
    const seen = await read(archive([file('a', '1'), file('b', '2')], { endBlocks: 0 }));
    expect(summary(seen)).toEqual(['file a 1', 'file b 2']);
    expect(seen.problems).toMatchObject([
      { code: 'TAR_CUT', message: expect.stringContaining('without an end-of-archive mark') as string },
    ]);
  });

  it('one end block is enough', async () => {
    expect((await read(archive([file('a', '1')], { endBlocks: 1 }))).problems).toEqual([]);
  });

  it.each(['rubbish', 'r'.repeat(3000)])('trailing bytes lose nothing and are told', async (trailing) => {
    const seen = await read(archive([file('a', '1')], { trailing }));
    expect(summary(seen)).toEqual(['file a 1']);
    expect(seen.problems).toMatchObject([
      { code: 'TAR_HEADER_INVALID', message: expect.stringContaining('not part of the archive') as string },
    ]);
  });
});

describe('damage', () => {
  const members = [file('a', 'x'.repeat(3000)), file('b', 'y'.repeat(600)), file('c', 'z')];

  it('a cut inside a body: what comes before is used, and the byte is told', async () => {
    const seen = await read(archive(members).subarray(0, 512 + 3072 + 512 + 300));
    expect(seen.members.map(({ path }) => path)).toEqual(['a']);
    expect(seen.problems).toMatchObject([{ code: 'TAR_CUT', offset: 4396, path: 'b' }]);
  });

  it('a cut inside a header', async () => {
    const seen = await read(archive(members).subarray(0, 512 + 3072 + 200));
    expect(seen.members.map(({ path }) => path)).toEqual(['a']);
    expect(seen.problems).toMatchObject([{ code: 'TAR_CUT' }]);
  });

  it('a cut inside a long name', async () => {
    const seen = await read(Buffer.concat([file('a', '1'), longName(long)]).subarray(0, 1024 + 512 + 100));
    expect(seen.members.map(({ path }) => path)).toEqual(['a']);
    expect(seen.problems).toMatchObject([
      { code: 'TAR_CUT', message: expect.stringContaining('extended header') as string },
    ]);
  });

  it('a wrong checksum in the middle loses that member only, and the gap is told', async () => {
    const seen = await read(
      archive([file('a', '1'), file('lost', 'l'.repeat(2000), { checksum: 'wrong' }), file('c', '3')]),
    );
    expect(summary(seen)).toEqual(['file a 1', 'file c 3']);
    expect(seen.problems).toMatchObject([
      { code: 'TAR_HEADER_INVALID', offset: 1024, message: expect.stringContaining('bytes 1024 to 3584') as string },
    ]);
  });

  it('a name does not reach the member behind the one that is lost', async () => {
    const seen = await read(archive([longName(long), file('lost', 'l', { checksum: 'wrong' }), file('c', '3')]));
    expect(summary(seen)).toEqual(['file c 3']);
  });

  it('a beginning that is lost', async () => {
    const seen = await read(archive(members).subarray(1024));
    expect(seen.members.map(({ path }) => path)).toEqual(['b', 'c']);
    expect(seen.problems).toMatchObject([{ code: 'TAR_HEADER_INVALID', offset: 0 }]);
  });

  it('a range of zeros: what follows is used; it is told where no padding explains it', async () => {
    const seen = await read(archive([file('a', '1'), Buffer.alloc(2 * 1024 * 1024), file('c', '3')]));
    expect(summary(seen)).toEqual(['file a 1', 'file c 3']);
    expect(seen.problems).toMatchObject([
      { code: 'TAR_HEADER_INVALID', offset: 1024, message: expect.stringContaining('zeros only') as string },
    ]);
  });

  it.each([1, 3, 8, 40])('members that became %i blocks of zeros are told, however few', async (blocks) => {
    const seen = await read(archive([file('a', '1'), Buffer.alloc(blocks * 512), file('c', '3')]));
    expect(summary(seen)).toEqual(['file a 1', 'file c 3']);
    expect(seen.problems).toMatchObject([
      {
        code: 'TAR_HEADER_INVALID',
        message: expect.stringContaining(`bytes 1024 to ${1024 + blocks * 512}`) as string,
      },
    ]);
  });

  it.each<[string, number, RegExp]>([
    ['behind a proper end mark are padding', 1, /^bytes 1024 to \d+ of the archive are zeros .*: padding$/],
    ['from the beginning of a page on may be a copy that stopped, too', 3500, /padding, or a copy that stopped there/],
  ])('many zeros %s, which harms nothing for certain', async (_, bodyBytes, says) => {
    const body = 'x'.repeat(bodyBytes);
    const seen = await read(Buffer.concat([archive([file('a', body)]), Buffer.alloc(2 * 1024 * 1024)]));
    expect(summary(seen)).toEqual([`file a ${body}`]);
    expect(seen.problems).toMatchObject([{ code: 'TAR_PADDING', message: expect.stringMatching(says) as string }]);
  });

  it('archives that were padded and joined are whole', async () => {
    const first = archive([directory('docker'), file('docker/a', '1')], { recordBytes: 65_536 });
    const seen = await read(Buffer.concat([first, archive([directory('docker'), file('docker/b', '2')])]));
    expect(summary(seen)).toEqual(['directory docker/', 'file docker/a 1', 'directory docker/', 'file docker/b 2']);
    expect(seen.problems).toMatchObject([
      { code: 'TAR_PADDING', message: expect.stringContaining('another archive follows') as string },
    ]);
  });

  it('a pax record whose length is wrong: its member is passed over, not given under another name', async () => {
    const broken = paxHeader({ path: 'real' });
    broken[512] = 57;
    const seen = await read(archive([broken, file('short', 'x'), file('after', 'y')]));
    expect(summary(seen)).toEqual(['file after y']);
    expect(seen.problems).toMatchObject([{ code: 'TAR_HEADER_INVALID', offset: 0 }]);
  });

  it('a name of megabytes: its member is passed over by name', async () => {
    const seen = await read(archive([longName('n'.repeat(2 * 1024 * 1024)), file('n', 'x'), file('after', 'y')]));
    expect(summary(seen)).toEqual(['file after y']);
    expect(seen.problems).toMatchObject([{ code: 'TAR_NAME_TOO_LONG', offset: 0 }]);
  });

  it.each(['99999999999z', '-1234567890', Buffer.alloc(12, 0xff)])(
    'a size that is none is not a header',
    async (sizeField) => {
      const seen = await read(archive([header({ path: 'a', sizeField }), file('after', 'y')]));
      expect(summary(seen)).toEqual(['file after y']);
      expect(seen.problems).toMatchObject([{ code: 'TAR_HEADER_INVALID', offset: 0 }]);
    },
  );

  it('a size beyond the archive cuts it, however large', async () => {
    const seen = await read(archive([file('a', '1'), header({ path: 'huge', size: 2 ** 52 }), file('after', 'y')]));
    expect(seen.members.map(({ path }) => path)).toEqual(['a']);
    expect(seen.problems).toMatchObject([{ code: 'TAR_CUT', path: 'huge' }]);
  });

  it('rubbish does not fill the memory with what is wrong with it', async () => {
    const broken = Buffer.concat([file('ok', ''), Buffer.alloc(512, 'r')]);
    const seen = await read(Buffer.concat(Array.from({ length: 12_000 }, () => broken)));
    expect(seen.members).toHaveLength(12_000);
    expect(seen.problems.length).toBeLessThan(10_010);
  });
});
