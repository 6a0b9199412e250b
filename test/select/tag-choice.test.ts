import { describe, expect, it } from 'vitest';
import { createFilter, type FilterOptions } from '../../src/select/filter.ts';
import { chooseTags, type TagChoice } from '../../src/select/tag-choice.ts';
import { openTar } from '../support/open-storage.ts';
import { withPushTimes } from '../support/push-times.ts';
import { buildStorage, type StorageDescription } from '../support/storage-builder.ts';

const day = 86_400;
const start = 1_700_000_000;

/** `app` was pushed a day apart, oldest first: 1.0, 1.1, 2.0, 1.2; `other:x` on the second day. */
const usual = (s: StorageDescription) => {
  const created = (at: number) => ({ config: { created: new Date(at * 1000).toISOString() } });
  const first = s.image('app', '1.0', { layers: ['a'], ...created(start + 9 * day) });
  s.image('app', '1.1', { layers: ['b'], ...created(start) });
  const second = s.image('app', '2.0', { layers: ['c'], ...created(start + day) });
  s.image('app', '1.2', { layers: ['d'], ...created(start + 2 * day) });
  s.image('other', 'x', { layers: ['e'], ...created(start) });
  return { first, second, signatures: [first, second].map((image) => s.signature(image)) };
};
const usualTimes = { 'app:1.0': start, 'app:1.1': start + day, 'app:2.0': start + 2 * day, 'app:1.2': start + 3 * day };

async function choose(
  choice: TagChoice,
  filters: FilterOptions = {},
  times: Readonly<Record<string, number>> = { ...usualTimes, 'other:x': start + day },
  description: (s: StorageDescription) => unknown = usual,
): Promise<{ readonly names: readonly string[]; readonly told: string }> {
  const { catalog, store, graph } = await openTar(buildStorage(description), withPushTimes(times));
  const { filter, told } = await chooseTags({ catalog, store, graph }, createFilter(filters), choice);
  const names: string[] = [];
  for (const repository of catalog.repositories())
    for (const { tag, digest } of catalog.tags(repository))
      if (filter({ repository, tag, digest })) names.push(`${repository}:${tag.replace(/^(sha256-.{4}).*/, '$1')}`);
  return { names: names.filter((name) => !name.includes('sha256-')), told };
}

describe('which tags are chosen', () => {
  it.each<[string, TagChoice, FilterOptions, readonly string[]]>([
    ['the last ones pushed, of each repository', { newest: 2 }, {}, ['app:1.2', 'app:2.0', 'other:x']],
    ['from a moment on', { since: start + 2 * day }, {}, ['app:1.2', 'app:2.0']],
    ['until a moment, which is out', { until: start + day }, {}, ['app:1.0']],
    ['between two', { since: start + day, until: start + 3 * day }, {}, ['app:1.1', 'app:2.0', 'other:x']],
    ['dates first, then the newest', { newest: 1, until: start + 3 * day }, {}, ['app:2.0', 'other:x']],
    ['globs first, then the newest', { newest: 1 }, { include: ['app:1.*'] }, ['app:1.2']],
    ['what is excluded counts for nothing', { newest: 1 }, { exclude: ['app:1.2'] }, ['app:2.0', 'other:x']],
    ['by version order', { newest: 2, by: 'version' }, {}, ['app:1.2', 'app:2.0']],
    ['by the time of creation', { newest: 1, by: 'created' }, {}, ['app:1.0', 'other:x']],
    ['in a range of versions', { semver: '>=1.1 <2' }, {}, ['app:1.1', 'app:1.2']],
    ['the last pushed of a range', { semver: '1.x', newest: 1 }, {}, ['app:1.2']],
  ])('%s', async (_, choice, filters, expected) => {
    expect((await choose(choice, filters)).names).toEqual(expected);
  });

  it('where times are equal, the higher version is the newer', async () => {
    const times = { ...usualTimes, 'app:2.0': start + 3 * day };
    expect((await choose({ newest: 1 }, { include: ['app'] }, times)).names).toEqual(['app:2.0']);
  });

  it('signatures and tagged referrers do not count, and come with their subjects alone', async () => {
    const { catalog, store, graph } = await openTar(
      buildStorage((s) => {
        const { second, first } = usual(s);
        s.artifact('app', 'sbom-of-2', { subject: second });
        s.artifact('app', 'sbom-of-1', { subject: first });
      }),
      withPushTimes({ ...usualTimes, 'app:sbom-of-1': start + 9 * day }),
    );
    const { filter } = await chooseTags({ catalog, store, graph }, createFilter({}), { newest: 2 });
    const tags = [...catalog.tags('app')].filter(({ tag, digest }) => filter({ repository: 'app', tag, digest }));
    const second = [...catalog.tags('app')].find(({ tag }) => tag === '2.0');
    expect(tags.map(({ tag }) => tag)).toEqual(['1.2', '2.0', 'sbom-of-2', `${second?.digest.replace(':', '-')}.sig`]);
  });

  it('a tag that lost its meaning still takes its place', async () => {
    const lost = (s: StorageDescription): void => {
      usual(s);
      s.emptyTag('app', '1.2');
      s.tag('app', 'spare', s.image('app', undefined, { layers: ['f'] }).digest);
    };
    expect((await choose({ newest: 1 }, { include: ['app:1.*'] }, usualTimes, lost)).names).toEqual(['app:1.2']);
    const empty = (s: StorageDescription): void => {
      usual(s);
      s.loseTag('app', '1.2');
    };
    expect((await choose({ newest: 3 }, { include: ['app:1.*'] }, usualTimes, empty)).names).toEqual([
      'app:1.0',
      'app:1.1',
    ]);
  });

  it('says which clock chose, and from when to when it goes', async () => {
    const { told } = await choose({ newest: 2, semver: '1.x' });
    expect(told).toMatch(/^chosen by version range 1\.x and push time \(2023-11-1\d to 2023-11-1\d\): 2 of 5 tags$/);
  });
});

describe('a clock that tells nothing is refused', () => {
  it.each<[string, TagChoice, RegExp]>([
    ['push times of a copy', { newest: 1 }, /same push time, 2023-11-1\d: this storage was copied without its times/],
    ['a range that is none', { semver: 'abc' }, /not a range of versions/],
  ])('%s', async (_, choice, message) => {
    await expect(choose(choice, {}, {})).rejects.toThrow(message);
  });

  it('no push times at all, no creation times at all', async () => {
    const blank = (s: StorageDescription): void => {
      s.image('app', ['1', '2'], { config: { created: '1970-01-01T00:00:00Z' } });
    };
    await expect(choose({ newest: 1 }, {}, { 'app:1': 0, 'app:2': 0 }, blank)).rejects.toThrow('keeps no push times');
    await expect(choose({ newest: 1, by: 'created' }, {}, {}, blank)).rejects.toThrow('says when it was created');
  });

  it('versions need no time', async () => {
    expect((await choose({ newest: 1, by: 'version' }, {}, {})).names).toEqual(['app:2.0']);
    expect((await choose({ semver: '~1.1' }, {}, {})).names).toEqual(['app:1.1']);
  });
});
