import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { readSource } from '../../src/formats/read-source.ts';
import { openSource } from '../../src/source/open-source.ts';
import { regtar } from '../e2e/support/regtar.ts';
import { archive } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import {
  containerdName,
  entry,
  hex,
  indexMember,
  json,
  layoutMember,
  ociImage,
  tarMembers,
  type Member,
} from './support/layout-members.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const [one, two] = [ociImage('one'), ociImage('two')];
let count = 0;

function write(members: readonly Member[]): string {
  const path = folder.file(`saved-${++count}.tar`);
  writeFileSync(path, archive(tarMembers(members)));
  return path;
}

/** Names, with `@` for each image without a tag, and the notes without the path of SOURCE. */
async function namesIn(
  members: readonly Member[],
  repository?: string,
): Promise<{ readonly names: readonly string[]; readonly notes: readonly string[] }> {
  const path = write(members);
  const opened = await openSource([path]);
  try {
    const { catalog, notes } = await readSource(opened, { repository });
    const names = [...catalog.repositories()].flatMap((name) => {
      const tags = [...catalog.tags(name)];
      const tagged = new Set(tags.map(({ digest }) => digest));
      const others = [...catalog.revisions(name)].filter((digest) => !tagged.has(digest));
      return [...tags.map(({ tag }) => `${name}:${tag}`), ...others.map(() => `${name}@`)];
    });
    return {
      names: names.map((name) => name.replace(`saved-${count}`, 'FILE')),
      notes: notes.map((note) => note.replaceAll(path, 'FILE').replaceAll(`saved-${count}`, 'FILE')),
    };
  } finally {
    await opened.close();
  }
}

const layout = (...entries: readonly object[]): readonly Member[] => [
  layoutMember,
  ...one.members,
  ...two.members,
  indexMember(...entries),
];
const named = (name: string): object => entry(one.digest, undefined, { [containerdName]: name });
const [a, b] = [one.digest, two.digest];
const another = '; --repository names another repository';

describe('an OCI layout', () => {
  it.each<[string, readonly object[], readonly string[], readonly string[]]>([
    [
      'with one image without a name, as `skopeo copy … oci:FILE`',
      [entry(a)],
      ['FILE:latest'],
      [`FILE does not name its image: it is read as FILE:latest${another}`],
    ],
    [
      'with several, as `crane pull --format=oci` without --annotate-ref',
      [entry(a), entry(b)],
      ['FILE@', 'FILE@'],
      [`FILE does not name its images: they are read as FILE@DIGEST, without tags${another}`],
    ],
    [
      'with tags alone',
      [entry(a, '1'), entry(b, 'v2.0')],
      ['FILE:1', 'FILE:v2.0'],
      [`FILE names tags only: its images are read as FILE:TAG${another}`],
    ],
    ['with a name and an image without one', [entry(a, 'app:1'), entry(b)], ['app:1', 'app@'], []],
    ['with a digest for a name', [entry(a, 'app:1'), entry(b, b)], ['app:1', 'app@'], []],
    ['with a name without a tag', [entry(a, 'quay.io/team/app')], ['team/app:latest'], []],
    ['with a port', [entry(a, 'localhost:5000/team/app:1')], ['team/app:1'], []],
    ['with localhost', [entry(a, 'localhost/app:1')], ['app:1'], []],
    ['with a name by digest, as containerd has them', [named(`docker.io/team/app@${a}`)], ['team/app@'], []],
    ['with a tag and a digest', [named(`docker.io/team/app:1@${a}`)], ['team/app:1'], []],
    [
      'with the same image by tag and by digest, as k3s lists them',
      [named('docker.io/team/app:1'), named(`docker.io/team/app@${a}`)],
      ['team/app:1'],
      [],
    ],
    [
      'with two names of one entry',
      [entry(a, '1', { [containerdName]: 'docker.io/library/web:1' })],
      ['library/web:1'],
      [],
    ],
  ])('%s', async (_title, entries, names, notes) => {
    expect(await namesIn(layout(...entries))).toEqual({ names, notes });
  });

  it.each([
    ['aa', 'ab'],
    ['part1', 'part2'],
    ['001', '002'],
  ])('in the parts .%s and .%s has the name of the whole file', async (first, second) => {
    const bytes = archive(tarMembers(layout(entry(a, '1'))));
    const path = folder.file(`split-${++count}.tar`);
    writeFileSync(`${path}.${first}`, bytes.subarray(0, 1000));
    writeFileSync(`${path}.${second}`, bytes.subarray(1000));
    const opened = await openSource([`${path}.${first}`]);
    const { catalog } = await readSource(opened, {});
    await opened.close();
    expect([...catalog.repositories()]).toEqual([`split-${count}`]);
  });

  it('whose names are tags takes the repository that is given, and says nothing', async () => {
    expect(await namesIn(layout(entry(a, '1'), entry(b, '2')), 'team/app')).toEqual({
      names: ['team/app:1', 'team/app:2'],
      notes: [],
    });
  });

  it('whose images have no names is not taken for a registry that keeps its tags elsewhere', async () => {
    const { code, stderr } = await regtar(['list', write(layout(entry(a), entry(b)))]);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/NOTHING_SELECTED: this backup has images but no tags\nhint: .*--tag-map.*--untagged/),
    ]);
  });
});

describe('a docker-archive', () => {
  const saved = (...tags: readonly (readonly string[] | null)[]): readonly Member[] => [
    ...[one, two].map(({ config }) => ({ path: `${hex(config)}.json`, bytes: config })),
    {
      path: 'manifest.json',
      bytes: json(
        tags.map((RepoTags, index) => ({ Config: `${hex([one, two][index]!.config)}.json`, RepoTags, Layers: [] })),
      ),
    },
  ];
  const made = expect.stringContaining('holds layers without manifests') as string;

  it.each<[string, readonly (readonly string[] | null)[], readonly string[], readonly string[]]>([
    [
      'of an image without a name, as `podman save ID`',
      [null],
      ['FILE:latest'],
      [made, `FILE does not name its image: it is read as FILE:latest${another}`],
    ],
    [
      'of several',
      [null, []],
      ['FILE@', 'FILE@'],
      [made, `FILE does not name its images: they are read as FILE@DIGEST, without tags${another}`],
    ],
    ['of one image with several names', [['app:1', 'quay.io/team/app:2']], ['app:1', 'team/app:2'], [made]],
    ['of crane by digest', [['registry.example/app:i-was-a-digest']], ['app:i-was-a-digest'], [made]],
  ])('%s', async (_title, tags, names, notes) => {
    expect(await namesIn(saved(...tags))).toEqual({ names, notes });
  });
});
