import { Readable } from 'node:stream';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { parseTagMap, readTagMap, withTagMap, type TagMap } from '../../src/names/tag-map.ts';
import { openTar } from '../support/open-storage.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const one = digestOf(Buffer.from('one'));
const two = digestOf(Buffer.from('two'));
const parse = (text: string, repository?: string): Promise<TagMap> =>
  parseTagMap(Readable.from([Buffer.from(text)]), {
    describe: 'tags',
    ...(repository !== undefined && { repository }),
  });
const names = async (text: string, repository?: string): Promise<string[]> =>
  (await parse(text, repository)).entries.map(
    (entry) =>
      `${entry.repository}:${entry.tag}@${entry.digest === one ? 'one' : entry.digest === two ? 'two' : entry.digest}`,
  );
const both = ['library/nginx:1.27@one', 'team/app:v1@two'];

const artifact = (digest: string, tags: readonly string[] | null, more: object = {}): object => ({
  id: 1,
  digest,
  tags: tags === null ? null : tags.map((name, id) => ({ id, name, immutable: false })),
  references: null,
  ...more,
});

describe('CSV', () => {
  it.each([
    ['without a header', `library/nginx,1.27,${one}\nteam/app,v1,${two}\n`],
    ['with a header', `repository,tag,digest\nlibrary/nginx,1.27,${one}\nteam/app,v1,${two}`],
    [
      'with columns in another order, and more of them',
      `digest,Repository,size,TAG\n${one},library/nginx,12,1.27\n${two},team/app,13,v1\n`,
    ],
    [
      'with quotes, blanks, comments, carriage returns and a mark of byte order',
      `\uFEFFrepository,tag,digest\r\n# Harbor\r\n"library/nginx", "1.27",${one}\r\n\r\nteam/app , v1 , ${two}\r\n`.replace(
        ', "',
        ',"',
      ),
    ],
  ])('%s', async (_title, text) => expect(await names(text)).toEqual(both));

  it.each([
    ['no digest', `library/nginx,1.27,${one}\nteam/app,v1,latest`, 2, '"latest" is not a digest'],
    ['a digest in upper case', `library/nginx,1.27,${one.toUpperCase()}`, 1, 'is not a digest'],
    ['no repository name', `\n\nLibrary/../nginx,1.27,${one}`, 3, 'is not a repository name'],
    ['no tag', `library/nginx,-x,${one}`, 1, '"-x" is not a tag'],
    ['too few fields', `library/nginx,1.27,${one}\nlibrary/nginx\n`, 2, 'is not repository,tag,digest'],
    ['a quote that does not end', `"library/nginx,1.27,${one}`, 1, 'does not end'],
    ['a contradiction', `a,v1,${one}\na,v2,${one}\na,v1,${two}`, 3, 'but line 1 says'],
  ])('%s is refused with its line', async (_title, text, line, reason) => {
    const error: unknown = await parse(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'TAG_MAP_INVALID' });
    expect((error as Error).message).toContain(`tags, line ${line}: `);
    expect((error as Error).message).toContain(reason);
  });

  it('an empty file names nothing', async () => expect(await names('')).toEqual([]));
});

describe("JSON of Harbor's artifact lists", () => {
  it.each<[string, unknown]>([
    [
      'one array whose artifacts say their repository',
      [
        artifact(one, ['1.27'], { repository_name: 'library/nginx' }),
        artifact(two, ['v1'], { repository_name: 'team/app' }),
        artifact(two, null, { repository_name: 'team/other' }),
      ],
    ],
    [
      'an object keyed by repository',
      { 'library/nginx': [artifact(one, ['1.27'])], 'team/app': [artifact(two, ['v1']), artifact(one, null)] },
    ],
    ['an object of pages', { 'library/nginx': [[artifact(one, ['1.27'])], []], 'team/app': [[artifact(two, ['v1'])]] }],
    [
      'what `regtar list --json` prints',
      [
        { repository: 'library/nginx', tag: '1.27', digest: one, size: 3 },
        { repository: 'team/app', tag: 'v1', digest: two, size: 3 },
      ],
    ],
  ])('%s', async (_title, value) => {
    expect(await names(JSON.stringify(value))).toEqual(both);
    expect(await names(JSON.stringify(value, undefined, 2))).toEqual(both);
  });

  it('pages one after the other', async () => {
    expect(
      await names(
        `${JSON.stringify([artifact(one, ['1.27'], { repository_name: 'library/nginx' })])}\n${JSON.stringify([artifact(two, ['v1'], { repository_name: 'team/app' })])}\n`,
      ),
    ).toEqual(both);
  });

  it('an array that does not say its repository takes the one given', async () => {
    expect(await names(JSON.stringify([artifact(one, ['v1', 'v2'])]), 'team/app')).toEqual([
      'team/app:v1@one',
      'team/app:v2@one',
    ]);
    await expect(parse(JSON.stringify([artifact(one, ['v1'])]))).rejects.toMatchObject({ code: 'TAG_MAP_INVALID' });
  });

  it('accessories that are signatures of cosign may have the tags that storage had', async () => {
    const signature = { type: 'signature.cosign', digest: two, subject_artifact_digest: one, creation_time: 'later' };
    const others = [
      { type: 'sbom.harbor', digest: two },
      { type: 'signature.notation', digest: two },
    ];
    const list = [artifact(one, ['v1'], { accessories: [signature, ...others] })];
    const map = await parse(JSON.stringify(list), 'team/app');
    expect(map.entries.map(({ tag, digest }) => [tag, digest])).toEqual([['v1', one]]);
    const entry = { repository: 'team/app', tag: `${one.replace(':', '-')}.sig`, digest: two, signedAt: 'later' };
    expect(map.signatures).toEqual([entry]);
    expect(map.problems).toEqual([]);
    // An image without a tag may be signed, too.
    const untagged = await parse(JSON.stringify([artifact(one, null, { accessories: [signature] })]), 'team/app');
    expect([untagged.entries, untagged.signatures]).toEqual([[], [entry]]);
  });

  it('a list that was asked for without accessories is said to be incomplete', async () => {
    const map = await parse(JSON.stringify([artifact(one, ['v1'], { accessories: null })]), 'team/app');
    expect(map.entries).toHaveLength(1);
    expect(map.problems).toMatchObject([
      { code: 'TAG_MAP_INCOMPLETE', message: expect.stringContaining('with_accessory=true') as string },
    ]);
  });

  it.each([
    ['cut', '[{"digest":'],
    ['of another kind', '{"errors":"none"}'],
    ['a list of numbers', '[1,2]'],
    ['nested 100,000 deep', '['.repeat(100_000) + ']'.repeat(100_000)],
  ])('%s is refused', async (_title, text) => {
    await expect(parse(text)).rejects.toMatchObject({ code: 'TAG_MAP_INVALID' });
  });
});

describe('pg_dump', () => {
  const copyDump = `--
-- PostgreSQL database dump
--

\\restrict abc
SET statement_timeout = 0;
CREATE TABLE public.artifact (
    id integer NOT NULL,
    digest character varying(255) NOT NULL
);
COPY public.artifact (id, project_id, repository_name, digest, type, pull_time, push_time, repository_id, extra_attrs) FROM stdin;
7\t1\tlibrary/nginx\t${one}\tIMAGE\t\\N\t2026-01-01 00:00:00\t3\t{"author":"tag\\tin it","config":{"Cmd":["COPY public.tag (id) FROM stdin;"]}}
8\t2\tteam/app\t${two}\tIMAGE\t\\N\t2026-01-01 00:00:00\t4\t\\N
\\.

COPY public.audit_log (log_id, resource) FROM stdin;
1\tlibrary/nginx:ghost
\\.

COPY public.repository (repository_id, name, project_id, description) FROM stdin;
3\tlibrary/nginx\t1\ta web\\nserver
4\tteam/app\t2\t\\N
\\.

COPY public.tag (id, repository_id, artifact_id, name, push_time, pull_time) FROM stdin;
1\t3\t7\t1.27\t2026-01-01 00:00:00\t\\N
2\t4\t8\tv1\t2026-01-01 00:00:00\t\\N
\\.

SELECT pg_catalog.setval('public.tag_id_seq', 2, true);
`;
  const namedInserts = `SET client_encoding = 'UTF8';
INSERT INTO public.artifact (id, project_id, repository_name, digest, extra_attrs) VALUES (7, 1, 'library/nginx', '${one}', '{"author":"O''Brien; (x), INSERT INTO public.tag","path":"C:\\"}');
INSERT INTO public.artifact (id, project_id, repository_name, digest, extra_attrs) VALUES (8, 2, 'team/app', '${two}', NULL);
INSERT INTO public.repository (repository_id, name, project_id, description) VALUES (3, 'library/nginx', 1, 'first line;
INSERT INTO public.tag VALUES (9, 3, 7, ''trap'', NULL, NULL);
last line');
INSERT INTO public.repository (repository_id, name, project_id, description) VALUES (4, 'team/app', 2, E'back\\\\slash');
INSERT INTO public.tag (id, repository_id, artifact_id, name, push_time, pull_time) VALUES (1, 3, 7, '1.27', '2026-01-01 00:00:00', NULL) ON CONFLICT DO NOTHING;
INSERT INTO public.tag (id, repository_id, artifact_id, name, push_time, pull_time) VALUES (2, 4, 8, 'v1', '2026-01-01 00:00:00', NULL) ON CONFLICT DO NOTHING;
`;
  const bareInserts = `-- data only, many rows a statement
INSERT INTO public.artifact VALUES
\t(7, 1, 'library/nginx', '${one}', 'IMAGE', NULL),
\t(8, 2, 'team/app', '${two}', 'IMAGE', NULL);
INSERT INTO public.repository VALUES
\t(3, 'library/nginx', 1, ''),
\t(4, 'team/app', 2, '');
INSERT INTO public.tag VALUES
\t(1, 3, 7, '1.27', '2026-01-01 00:00:00', NULL),
\t(2, 4, 8, 'v1', '2026-01-01 00:00:00', NULL);
`;
  const createdInserts = `CREATE TABLE public.tag (
    name character varying(255) NOT NULL,
    artifact_id integer NOT NULL,
    repository_id integer NOT NULL,
    CONSTRAINT something CHECK (true)
);
INSERT INTO public.tag VALUES ('1.27', 7, 3);
INSERT INTO public.tag VALUES ('v1', 8, 4);
${bareInserts.slice(0, bareInserts.indexOf('INSERT INTO public.tag'))}`;

  it.each([
    ['COPY blocks', copyDump],
    ['one INSERT a row, with column names', namedInserts],
    ['one INSERT for many rows, without column names', bareInserts],
    ['INSERT in the order that CREATE TABLE says', createdInserts],
    [
      'without the repository table, from the artifacts themselves',
      copyDump.replace(/COPY public\.repository[^]*?\\\.\n/, ''),
    ],
  ])('%s', async (_title, text) => {
    expect((await names(text)).sort()).toEqual(both);
    expect((await parse(text)).problems).toEqual([]);
  });

  it.each(['copy', 'inserts', 'column-inserts', 'three-tables'])(
    'what pg_dump itself makes of hard rows: %s.sql',
    async (name) => {
      const map = await readTagMap(fileURLToPath(new URL(`harbor-dumps/${name}.sql`, import.meta.url)));
      expect(map.entries.map(({ repository, tag, digest }) => `${repository}:${tag}@${digest}`).sort()).toEqual([
        `library/nginx:1.27@${one}`,
        `team/app:latest@${two}`,
        `team/app:v1@${two}`,
      ]);
      expect(map.problems).toEqual([]);
    },
  );

  it('comes in pieces of any size', async () => {
    const bytes = Buffer.from(copyDump);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, index) =>
      bytes.subarray(index * 7, index * 7 + 7),
    );
    expect((await parseTagMap(Readable.from(pieces), { describe: 'tags' })).entries).toHaveLength(2);
  });

  it('a tag whose artifact is not in the dump is a problem of its own', async () => {
    const map = await parse(copyDump.replace('2\t4\t8\tv1', '2\t4\t99\tv1'));
    expect(map.entries).toHaveLength(1);
    expect(map.problems).toMatchObject([{ code: 'TAG_MAP_INVALID', tag: 'v1' }]);
    expect(map.problems[0]?.message).toContain('artifact 99');
  });

  it.each([
    ['without the tables', copyDump.replaceAll('public.tag ', 'public.other '), 'no rows of tag'],
    ['cut inside a table', copyDump.slice(0, copyDump.indexOf('2\t4\t8')), 'the dump was cut'],
    ['cut inside a statement', namedInserts.slice(0, namedInserts.indexOf('last line')), 'a statement does not end'],
    ['a digest that is none', copyDump.replace(two, 'sha256:12'), 'is not a digest'],
    ["in PostgreSQL's own format", 'PGDMP\u0001\u000e', 'own format'],
    ['compressed', '\u001f\u008b\b', 'not text'],
  ])('%s: refused', async (_title, text, reason) => {
    const error: unknown = await parse(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'TAG_MAP_INVALID' });
    expect((error as Error).message).toContain(reason);
  });

  it('reads a dump of 200 MB in little memory', async () => {
    const filler = Buffer.from(`${'9\t'.repeat(500)}\n`.repeat(1000));
    async function* dump(): AsyncGenerator<Buffer> {
      yield Buffer.from('--\nCOPY public.audit_log (a) FROM stdin;\n');
      for (let count = 0; count < 200; count++) {
        yield filler;
        await Promise.resolve();
      }
      yield Buffer.from(`\\.\n${copyDump}`);
    }
    const before = process.memoryUsage().rss;
    expect((await parseTagMap(dump(), { describe: 'tags' })).entries).toHaveLength(2);
    expect(process.memoryUsage().rss - before).toBeLessThan(150e6);
  });
});

describe('applied to a backup', () => {
  const build = () =>
    buildStorage((s) => ({
      first: s.image('team/app', undefined, { layers: ['first'] }),
      second: s.image('team/app', 'old', { layers: ['second'] }),
      lost: s.image('team/app', 'lost', { layers: ['third'] }),
      emptied: s.emptyTag('team/app', 'lost'),
      again: s.image('team/app', 'lost', { layers: ['fourth'] }),
      emptiedAgain: s.emptyTag('team/app', 'lost'),
    }));

  it('gives names to revisions, wins over storage and says so, and leaves what it does not name', async () => {
    const storage = build();
    const { catalog, store } = await openTar(storage);
    const { first, second, lost } = storage.built;
    const named = withTagMap(
      catalog,
      await parse(`team/app,v1,${first.digest}\nteam/app,old,${first.digest}\nteam/app,lost,${lost.digest}\n`),
      store,
    );
    expect([...named.tags('team/app')].map(({ tag, digest }) => [tag, digest])).toEqual([
      ['lost', lost.digest],
      ['old', first.digest],
      ['v1', first.digest],
    ]);
    expect([...named.tags('team/app')][1]?.history).toEqual([second.digest, first.digest]);
    expect([...named.lostTags('team/app')]).toEqual([]);
    expect(named.problems).toMatchObject([{ code: 'TAG_CONFLICT', tag: 'old' }]);
    expect(catalog.problems).toMatchObject([{ code: 'TAG_AMBIGUOUS', tag: 'lost' }]);
  });

  it('a digest that the repository does not have becomes a problem and no tag', async () => {
    const { catalog, store } = await openTar(build());
    const named = withTagMap(catalog, await parse(`team/app,v1,${one}\nother/app,v1,${two}\n`), store);
    expect([...named.tags('team/app')].map(({ tag }) => tag)).toEqual(['old']);
    expect(named.problems.filter(({ code }) => code === 'TAG_MAP_UNKNOWN')).toMatchObject([
      { repository: 'team/app', tag: 'v1', digest: one },
      { repository: 'other/app', tag: 'v1', digest: two },
    ]);
  });

  it('of many signatures of one image the last that was pushed by its tag has it', async () => {
    const storage = buildStorage((s) => {
      const image = s.image('team/app', undefined, { layers: ['signed'] });
      const referrer = (body: string): typeof image =>
        s.artifact('team/app', undefined, { artifactType: 'application/vnd.sig', body, subject: image });
      return {
        image,
        first: s.artifact('team/app', undefined, { body: 'signed once' }),
        bundle: referrer('a bundle of cosign 3'),
        again: s.artifact('team/app', undefined, { body: 'signed once more' }),
        attached: referrer('as cosign 2 can be told'),
      };
    });
    const { built } = storage;
    const { catalog, store } = await openTar(storage);
    const signature = { type: 'signature.cosign', subject_artifact_digest: built.image.digest };
    // As a real Harbor 2.15.2 lists an image that was signed in all of these ways.
    const accessories = [built.first, built.bundle, built.again, built.attached].map(({ digest }, index) => ({
      ...signature,
      digest,
      creation_time: `2026-11-25T21:0${index}:08.284Z`,
    }));
    const tag = `${built.image.digest.replace(':', '-')}.sig`;
    const list = (order: readonly object[]): Promise<TagMap> =>
      parse(JSON.stringify([artifact(built.image.digest, ['v1'], { accessories: order })]), 'team/app');
    for (const order of [accessories, accessories.toReversed()]) {
      const named = withTagMap(catalog, await list(order), store);
      expect([...named.tags('team/app')].map((entry) => [entry.tag, entry.digest])).toEqual([
        [tag, built.again.digest],
        ['v1', built.image.digest],
      ]);
      expect(named.problems).toEqual([]);
    }
    // Those of newer cosigns alone make no tag that there never was.
    const untagged = withTagMap(catalog, await list(accessories.filter((_, index) => index % 2 === 1)), store);
    expect([...untagged.tags('team/app')].map((entry) => entry.tag)).toEqual(['v1']);
  });
});

it('a file is read; one that is not there is named', async () => {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  writeFileSync(folder.file('tags.csv'), `a,v1,${one}\n`);
  expect((await readTagMap(folder.file('tags.csv'))).entries).toHaveLength(1);
  await expect(readTagMap(folder.file('none.csv'))).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
});
