import { mkdirSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { readLayout } from '../support/read-layout.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { file } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const write = (name: string, bytes: string | Uint8Array): string => {
  writeFileSync(folder.file(name), bytes);
  return folder.file(name);
};
let serial = 0;
const names = async (out: string): Promise<string[]> =>
  (await readLayout(out)).entries
    .map(({ annotations, digest }) => `${annotations?.['org.opencontainers.image.ref.name'] ?? ''} ${digest}`)
    .sort();
/** Exports to OCI. @returns the exit code, names with digests, and what was said */
async function exported(...words: string[]): Promise<{ code: number; names: string[]; stderr: string }> {
  const out = folder.file(`out-${serial++}`);
  const { code, stderr } = await regtar(['export', '--format', 'oci', ...words, out]);
  return { code, stderr, names: await names(out) };
}

describe('what a crash, a deletion or a push left behind', () => {
  const store = buildStorage((s) => {
    const old = s.image('team/app', 'latest', { layers: ['old'] });
    const now = s.image('team/app', 'latest', { layers: ['new'] });
    const first = s.image('amb', 'v1', { layers: ['first'] });
    const second = s.image('amb', 'v1', { layers: ['second'] });
    s.emptyTag('amb', 'v1');
    const headless = s.image('headless', 'v1');
    s.loseTag('headless', 'v1');
    const deleted = s.image('deleted', 'v1');
    s.deleteRevision('deleted', deleted.digest);
    const emptied = s.image('emptied', 'v1');
    s.emptyTag('emptied', 'v1');
    s.write(storagePaths.revisionLink('emptied', emptied.digest), '');
    s.write(storagePaths.layerLink('emptied', emptied.blobs[1]!.digest), '');
    return { old, now, first, second, headless, deleted, emptied };
  });
  const tar = write('recovery.tar', store.tar());
  const { old, now, first, second, headless, deleted, emptied } = store.built;

  it('list names what is certain and what was recovered, and guesses nothing', async () => {
    const listed = await regtarJson<{ repository: string; tag: string; digest: string }[]>(['list', tar]);
    expect(listed.map(({ repository, tag, digest }) => [`${repository}:${tag}`, digest])).toEqual([
      ['deleted:v1', deleted.digest],
      ['emptied:v1', emptied.digest],
      ['team/app:latest', now.digest],
    ]);
  });

  it('list says which tags it leaves out, of those that were asked for', async () => {
    const [all, amb, app] = await Promise.all([
      regtar(['list', tar]),
      regtar(['list', tar, '--include', 'amb']),
      regtar(['list', tar, '--include', 'team/*']),
    ]);
    expect(all.stderr).toBe(
      'note: 2 tags name no certain image and are left out: amb:v1, headless:v1; `regtar verify` says why\n',
    );
    expect(amb.stderr).toMatch(/NOTHING_SELECTED[^]*note: 1 tag names no certain image and is left out: amb:v1;/);
    expect(app.stderr).toBe('');
    expect([all.code, amb.code, app.code]).toEqual([0, 0, 0]);
  });

  it('verify reports each by its own code', async () => {
    const { problems, images } = await regtarJson<{ problems: { code: string; repository: string }[]; images: object }>(
      ['verify', tar],
      4,
    );
    expect(images).toEqual({ whole: 3, partial: 0, lost: 2 });
    expect(problems.map(({ code, repository }) => `${code} ${repository}`).sort()).toEqual([
      'LINK_RECOVERED emptied',
      'LINK_RECOVERED emptied',
      'LINK_RECOVERED emptied',
      'TAG_AMBIGUOUS amb',
      'TAG_NO_CURRENT headless',
      'TAG_REVISION_MISSING deleted',
    ]);
  });

  it('export brings what is certain, and names what is not with the way on', async () => {
    const { code, names: got, stderr } = await exported(tar);
    expect(code).toBe(3);
    expect(got).toEqual([
      `deleted:v1 ${deleted.digest}`,
      `emptied:v1 ${emptied.digest}`,
      `team/app:latest ${now.digest}`,
    ]);
    expect(stderr).toMatch(/amb:v1.*TAG_AMBIGUOUS|TAG_AMBIGUOUS.*amb:v1/);
    expect(stderr).toMatch(/headless:v1.*TAG_NO_CURRENT|TAG_NO_CURRENT.*headless:v1/);
  });

  it('inspect REF --history lists everything that a tag meant, and what is left of it', async () => {
    const history = await regtarJson<{ digest: string; current: boolean; present: boolean }[]>([
      'inspect',
      tar,
      'team/app:latest',
      '--history',
    ]);
    expect(history.sort((left) => (left.current ? 1 : -1))).toMatchObject([
      { digest: old.digest, current: false, present: true },
      { digest: now.digest, current: true, present: true },
    ]);
    const lost = await regtarJson<{ digest: string; current: boolean }[]>(['inspect', tar, 'amb:v1', '--history']);
    expect(lost.map(({ digest, current }) => [digest, current]).sort()).toEqual(
      [
        [first.digest, false],
        [second.digest, false],
      ].sort(),
    );
  });

  it('inspect of a tag that has lost its meaning says so, and how to choose', async () => {
    expect(await regtar(['inspect', tar, 'amb:v1'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/TAG_AMBIGUOUS[^]*--at-digest amb:v1@sha256:/) as string,
    });
    expect(await regtar(['inspect', tar, 'headless:v1'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('TAG_NO_CURRENT') as string,
    });
    expect(await regtar(['inspect', tar, 'nobody:v1'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('TAG_UNKNOWN') as string,
    });
  });

  it('--at-digest settles tags for every command, several at once', async () => {
    const choice = [
      '--at-digest',
      `amb:v1@${first.digest}`,
      '--at-digest',
      `team/app:latest@${old.digest}`,
      '--at-digest',
      `headless:v1@${headless.digest}`,
    ];
    const { code, names: got } = await exported(...choice, tar);
    expect(code).toBe(0);
    expect(got).toEqual([
      `amb:v1 ${first.digest}`,
      `deleted:v1 ${deleted.digest}`,
      `emptied:v1 ${emptied.digest}`,
      `headless:v1 ${headless.digest}`,
      `team/app:latest ${old.digest}`,
    ]);
    expect((await regtarDone(['list', ...choice, tar])).stdout).toContain('amb:v1\n');
    expect(await regtarJson(['inspect', ...choice, tar, 'amb:v1'])).toMatchObject({ digest: first.digest });
  });

  it('--at-digest with what the tag never meant is wrong use, with what it did mean', async () => {
    expect(await regtar(['list', '--at-digest', `team/app:latest@${first.digest}`, tar])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(old.digest) as string,
    });
    expect(await regtar(['list', '--at-digest', 'team/app:latest', tar])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('REFERENCE_INVALID') as string,
    });
  });
});

describe('a store without tags', () => {
  const store = buildStorage((s) => ({
    one: s.image('library/nginx', undefined, { layers: ['one'] }),
    two: s.index('team/app', undefined, [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]),
    kept: s.image('team/app', 'kept', { layers: ['kept'] }),
  }));
  const tar = write('untagged.tar', store.tar());
  const { one, two, kept } = store.built;

  it('list names what has a tag; --untagged adds every manifest that nothing reaches, by digest', async () => {
    expect((await regtarDone(['list', tar])).stdout).toBe('team/app:kept\n');
    expect((await regtarDone(['list', '--untagged', tar])).stdout).toBe(
      `library/nginx@${one.digest}\nteam/app:kept\nteam/app@${two.digest}\n`,
    );
  });

  it('--include repository@digest takes one of them, and inspect shows it', async () => {
    expect(await exported('--include', `team/app@${two.digest}`, tar)).toMatchObject({
      code: 0,
      names: [expect.stringContaining(two.digest) as string],
    });
    expect(await regtarJson(['inspect', tar, `library/nginx@${one.digest}`])).toMatchObject({
      repository: 'library/nginx',
      digest: one.digest,
    });
  });

  const artifact = (digest: string, ...tags: string[]): object => ({ digest, tags: tags.map((name) => ({ name })) });
  it.each([
    ['CSV', `repository,tag,digest\nlibrary/nginx,1.27,${one.digest}\nteam/app,v1,${two.digest}\n`],
    [
      "Harbor's artifact JSON",
      JSON.stringify({ 'library/nginx': [artifact(one.digest, '1.27')], 'team/app': [artifact(two.digest, 'v1')] }),
    ],
    [
      'pg_dump, COPY',
      `COPY public.repository (repository_id, name) FROM stdin;\n1\tlibrary/nginx\n2\tteam/app\n\\.\nCOPY public.artifact (id, digest, repository_id) FROM stdin;\n5\t${one.digest}\t1\n6\t${two.digest}\t2\n\\.\nCOPY public.tag (id, repository_id, artifact_id, name) FROM stdin;\n1\t1\t5\t1.27\n2\t2\t6\tv1\n\\.\n`,
    ],
    [
      'pg_dump, INSERT',
      `INSERT INTO public.repository (repository_id, name) VALUES (1, 'library/nginx'), (2, 'team/app');\nINSERT INTO public.artifact (id, digest, repository_id) VALUES (5, '${one.digest}', 1);\nINSERT INTO public.artifact (id, digest, repository_id) VALUES (6, '${two.digest}', 2);\nINSERT INTO public.tag (id, repository_id, artifact_id, name) VALUES (1, 1, 5, '1.27');\nINSERT INTO public.tag (id, repository_id, artifact_id, name) VALUES (2, 2, 6, 'v1');\n`,
    ],
  ])('--tag-map gives names: %s', async (_title, text) => {
    const map = write(`map-${serial++}`, text);
    expect(await exported('--tag-map', map, tar)).toMatchObject({
      code: 0,
      names: [`library/nginx:1.27 ${one.digest}`, `team/app:kept ${kept.digest}`, `team/app:v1 ${two.digest}`],
    });
    expect((await regtarDone(['list', '--untagged', '--tag-map', map, tar])).stdout).toBe(
      'library/nginx:1.27\nteam/app:kept\nteam/app:v1\n',
    );
  });
});

describe('several archives as one store', () => {
  // As oc-mirror writes them: every run carries all links, and only the blobs that no run before it had.
  const first = buildStorage((s) => {
    s.index('openshift/release', '4.16.1', [
      { platform: 'linux/amd64', layers: ['base', 'r1'] },
      { platform: 'linux/arm64', layers: ['base-arm', 'r1-arm'] },
    ]);
    s.image('ubi9/ubi', 'latest', { layers: ['base', 'ubi-old'] });
  });
  const second = buildStorage((s) => {
    s.index('openshift/release', '4.16.1', [
      { platform: 'linux/amd64', layers: ['base', 'r1'] },
      { platform: 'linux/arm64', layers: ['base-arm', 'r1-arm'] },
    ]);
    s.index('openshift/release', '4.16.2', [
      { platform: 'linux/amd64', layers: ['base', 'r2'] },
      { platform: 'linux/arm64', layers: ['base-arm', 'r2-arm'] },
    ]);
    s.image('ubi9/ubi', 'latest', { layers: ['base', 'ubi-new'] });
  });
  const delta = second.tar({
    rewrite: (path) => (path.startsWith('blobs/') && first.files.has(path) ? [] : undefined),
  });

  it('the runs of oc-mirror, by --source or by a glob: whole together, the second alone is not', async () => {
    mkdirSync(folder.file('mirror'));
    const [one, two] = [write('mirror/mirror_000001.tar', first.tar()), write('mirror/mirror_000002.tar', delta)];
    for (const words of [['--source', one, '--source', two], [folder.file('mirror/mirror_*.tar')]]) {
      expect(await regtarJson(['verify', ...words], 0)).toMatchObject({ sound: true, images: { whole: 3 } });
    }
    expect(await regtarJson(['verify', two], 4)).toMatchObject({ images: { lost: expect.any(Number) as number } });
    const { code, names: got } = await exported('--source', one, '--source', two);
    expect(code).toBe(0);
    expect(got.map((name) => name.split(' ')[0])).toEqual([
      'openshift/release:4.16.1',
      'openshift/release:4.16.2',
      'ubi9/ubi:latest',
    ]);
  });

  it('the newest archive decides a tag, and the conflict is reported with both', async () => {
    const [one, two] = [write('base.tar', first.tar()), write('delta.tar', delta)];
    const { problems } = await regtarJson<{ problems: { code: string; message: string }[] }>(
      ['verify', '--source', one, '--source', two],
      0,
    );
    expect(problems).toMatchObject([
      {
        code: 'TAG_CONFLICT',
        repository: 'ubi9/ubi',
        tag: 'latest',
        message: expect.stringMatching(/base\.tar.*delta\.tar is used/) as string,
      },
    ]);
  });

  it('a bundle with files of its own beside the tree, as mindthegap packs them, compressed too', async () => {
    const bundle = first.tar({ before: [file('images.yaml', 'docker.io:\n  images:\n    ubi9/ubi: [latest]\n')] });
    expect((await regtarDone(['list', write('bundle.tar', bundle)])).stdout).toBe(
      'openshift/release:4.16.1\nubi9/ubi:latest\n',
    );
    expect((await regtarDone(['list', write('bundle.tar.gz', gzipSync(bundle))])).stdout).toBe(
      'openshift/release:4.16.1\nubi9/ubi:latest\n',
    );
  });
});
