import { expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { tagHistory, withTagAt } from '../../src/names/chosen-tags.ts';
import { openTar } from '../support/open-storage.ts';
import { buildStorage } from '../support/storage-builder.ts';

const build = () =>
  buildStorage((s) => ({
    old: s.image('app', 'latest', { layers: ['old'] }),
    now: s.image('app', 'latest', { layers: ['now'] }),
    other: s.image('app', 'other', { layers: ['other'] }),
  }));

it('the history of a tag holds everything that it ever meant', async () => {
  const storage = build();
  const { catalog } = await openTar(storage);
  expect(new Set(tagHistory(catalog, 'app', 'latest'))).toEqual(
    new Set([storage.built.old.digest, storage.built.now.digest]),
  );
  expect(tagHistory(catalog, 'app', 'none')).toBeUndefined();
});

it('a tag means an entry of its history again, and nothing else changes', async () => {
  const storage = build();
  const { catalog } = await openTar(storage);
  const chosen = withTagAt(catalog, { repository: 'app', tag: 'latest', digest: storage.built.old.digest });
  expect([...chosen.tags('app')].map(({ tag, digest }) => [tag, digest])).toEqual([
    ['latest', storage.built.old.digest],
    ['other', storage.built.other.digest],
  ]);
  expect([...chosen.revisions('app')]).toEqual([...catalog.revisions('app')]);
  expect(chosen.stored).toBe(catalog.stored);
});

it.each(['empty', 'absent', 'rubbish'] as const)(
  'a tag whose link is %s has its candidates listed, and a choice settles it',
  async (kind) => {
    const storage = buildStorage((s) => {
      const first = s.image('app', 'v1', { layers: ['first'] });
      const second = s.image('app', 'v1', { layers: ['second'] });
      if (kind === 'empty') s.emptyTag('app', 'v1');
      else if (kind === 'absent') s.loseTag('app', 'v1');
      else s.write('repositories/app/_manifests/tags/v1/current/link', '../../etc/passwd');
      return [first.digest, second.digest].sort();
    });
    const { catalog } = await openTar(storage);
    const [digest] = storage.built;
    expect([...catalog.tags('app')]).toEqual([]);
    expect([...catalog.lostTags('app')].map(({ tag, candidates }) => [tag, [...candidates].sort()])).toEqual([
      ['v1', storage.built],
    ]);
    expect(catalog.problems).toMatchObject([{ repository: 'app', tag: 'v1' }]);
    const chosen = withTagAt(catalog, { repository: 'app', tag: 'v1', digest: digest! });
    expect([...chosen.tags('app')]).toMatchObject([{ tag: 'v1', digest }]);
    expect([...chosen.lostTags('app')]).toEqual([]);
    expect(chosen.problems).toEqual([]);
  },
);

it('what a tag never meant is refused with what it did mean', async () => {
  const storage = build();
  const { catalog } = await openTar(storage);
  const digest = digestOf(Buffer.from('never'));
  expect(() => withTagAt(catalog, { repository: 'app', tag: 'latest', digest })).toThrow(
    expect.objectContaining({ code: 'TAG_UNKNOWN', hint: expect.stringContaining(storage.built.old.digest) as string }),
  );
  expect(() => withTagAt(catalog, { repository: 'app', tag: 'none', digest })).toThrow(
    expect.objectContaining({ code: 'TAG_UNKNOWN' }),
  );
});
