import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openOciSink } from '../../src/formats/oci/folder.ts';
import { readLayout, type LayoutEntry } from '../support/read-layout.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { addImage, createMemoryStore, feed, renamed } from './images.ts';
import { describeSink, noise } from './suite.ts';

describeSink({
  title: 'oci layout',
  open: openOciSink,
  out: 'folder',
  perImage: false,
  read: async (out) => namesIn((await readLayout(out)).entries),
});

describeSink({
  title: 'oci layouts, one a repository',
  open: openOciSink,
  options: { perRepository: true },
  out: 'folder',
  perImage: false,
  read: async (out) => {
    const found: Record<string, string> = {};
    const layouts = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('oci-layout'),
    );
    for (const path of layouts) {
      const repository = path.slice(0, -'/oci-layout'.length);
      if (!readdirSync(join(out, repository)).includes('index.json') && layouts.length > 1) continue;
      for (const { digest, annotations = {} } of (await readLayout(join(out, repository))).entries)
        found[`${repository}${annotations[refName] === undefined ? `@${digest}` : `:${annotations[refName]}`}`] =
          digest;
    }
    if (Object.keys(found).length === 0) throw new Error('no layout');
    return found;
  },
});

const refName = 'org.opencontainers.image.ref.name';

function namesIn(entries: readonly LayoutEntry[]): Record<string, string> {
  return Object.fromEntries(
    entries.map(({ digest, annotations = {} }) => [
      annotations[refName] ?? annotations['vnd.regtar.image.name'] ?? '',
      digest,
    ]),
  );
}

describe('an OCI layout', () => {
  const newOut = (): string => {
    const folder = temporaryFolder();
    onTestFinished(() => folder.remove());
    return folder.file('out');
  };
  const indexOf = (out: string) =>
    JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as {
      mediaType: string;
      manifests: LayoutEntry[];
      annotations?: unknown;
    };

  it('names images for skopeo and containerd, with the prefix that was asked for', async () => {
    const store = createMemoryStore();
    const out = newOut();
    await feed(openOciSink({ out, prefix: 'harbor.example.com/library' }), store, [addImage(store, 'a/b', '1')]);
    const index = indexOf(out);
    expect(index.mediaType).toBe('application/vnd.oci.image.index.v1+json');
    expect(index.manifests[0]?.annotations).toEqual({
      'io.containerd.image.name': 'harbor.example.com/library/a/b:1',
      [refName]: 'harbor.example.com/library/a/b:1',
    });
  });

  it('of one repository has the tag alone as its ref.name, and the whole name for containerd', async () => {
    const store = createMemoryStore();
    const out = newOut();
    await feed(openOciSink({ out, perRepository: true }), store, [addImage(store, 'a/b', '1')]);
    expect(indexOf(join(out, 'a/b')).manifests[0]?.annotations).toEqual({
      'io.containerd.image.name': 'docker.io/a/b:1',
      [refName]: '1',
    });
  });

  // Under a shorter name docker's containerd store lists an image twice and finds it never; Kubernetes does not either.
  it.each([
    [undefined, 'web', 'docker.io/library/web:1', 'web:1'],
    [undefined, 'team/web', 'docker.io/team/web:1', undefined],
    [undefined, 'k8s.gcr.io/pause', 'k8s.gcr.io/pause:1', 'k8s.gcr.io/pause:1'],
    ['team', 'web', 'docker.io/team/web:1', undefined],
    ['docker.io', 'web', 'docker.io/library/web:1', 'web:1'],
    ['localhost', 'web', 'localhost/web:1', undefined],
    ['localhost:5000/a', 'web', 'localhost:5000/a/web:1', undefined],
  ])('completes names for containerd as docker does: %s and %s', async (prefix, repository, whole, own) => {
    const store = createMemoryStore();
    const out = newOut();
    await feed(openOciSink({ out, prefix }), store, [addImage(store, repository, '1')]);
    expect(indexOf(out).manifests[0]?.annotations).toEqual({
      'io.containerd.image.name': whole,
      [refName]: `${prefix === undefined ? '' : `${prefix}/`}${repository}:1`,
      ...(own !== undefined && { 'vnd.regtar.image.name': own }),
    });
  });

  it('has two descriptors for two tags of one digest', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const image = addImage(store, 'a', '1');
    await feed(openOciSink({ out }), store, [image, renamed(image, { tag: '2' })]);
    expect(indexOf(out).manifests.map(({ digest, annotations }) => [digest, annotations?.[refName]])).toEqual([
      [image.target.root.digest, 'a:1'],
      [image.target.root.digest, 'a:2'],
    ]);
  });

  it('gives referrers no name of which containerd would make an image, but their tag, by which skopeo and oras find them', async () => {
    const store = createMemoryStore();
    const referrer = renamed(addImage(store, 'a', 'sha256-0.sig'), { referrer: true });
    const [combined, single] = [newOut(), newOut()];
    await feed(openOciSink({ out: combined }), store, [referrer]);
    await feed(openOciSink({ out: single, perRepository: true }), store, [referrer]);
    expect(indexOf(combined).manifests[0]?.annotations).toEqual({
      [refName]: 'a:sha256-0.sig',
      'vnd.regtar.image.name': 'a:sha256-0.sig',
    });
    expect(indexOf(join(single, 'a')).manifests[0]?.annotations).toEqual({
      [refName]: 'sha256-0.sig',
      'vnd.regtar.image.name': 'a:sha256-0.sig',
    });
  });

  it('that another tool made keeps what it holds when images are added', async () => {
    const store = createMemoryStore();
    const out = newOut();
    mkdirSync(out);
    const other = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${'0'.repeat(64)}`,
      size: 2,
      custom: true,
    };
    writeFileSync(join(out, 'oci-layout'), '{ "imageLayoutVersion": "1.0.0" }');
    writeFileSync(
      join(out, 'index.json'),
      JSON.stringify({
        schemaVersion: 2,
        annotations: { kept: 'yes' },
        manifests: [other, other, { ...other, annotations: { [refName]: 'a:1' } }],
      }),
    );
    const image = addImage(store, 'a', '1');
    await feed(openOciSink({ out }), store, [image]);
    const index = indexOf(out);
    expect(index.annotations).toEqual({ kept: 'yes' });
    expect(index.manifests).toHaveLength(3);
    expect(index.manifests.slice(0, 2)).toEqual([other, other]);
    expect(index.manifests[2]?.digest).toBe(image.target.root.digest);
  });

  it('is left as it is where it shows everything, and put into order where others wrote it', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const images = ['1', '2'].map((tag) => addImage(store, 'a', tag));
    const exported = () => feed(openOciSink({ out }), store, images);
    await exported();
    const index = readFileSync(join(out, 'index.json'), 'utf8');
    const past = new Date(1000);
    utimesSync(join(out, 'index.json'), past, past);
    await exported();
    expect(statSync(join(out, 'index.json')).mtime).toEqual(past);
    writeFileSync(join(out, 'index.json'), JSON.stringify(JSON.parse(index), undefined, 2));
    await exported();
    expect(readFileSync(join(out, 'index.json'), 'utf8')).toBe(index);
  });

  it('with an index.json that cannot be read is left alone', async () => {
    const store = createMemoryStore();
    const out = newOut();
    mkdirSync(out);
    writeFileSync(join(out, 'oci-layout'), '{ "imageLayoutVersion": "1.0.0" }');
    writeFileSync(join(out, 'index.json'), '{"manifests": 3}');
    const sink = openOciSink({ out });
    await expect(sink.begin(addImage(store, 'a', '1').target, {})).rejects.toMatchObject({ code: 'OUTPUT_FOREIGN' });
    await sink.close();
    expect(readFileSync(join(out, 'index.json'), 'utf8')).toBe('{"manifests": 3}');
  });

  it('of one repository shares blobs with the others by hard links', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const layer = { bytes: noise(5000, 1) };
    const images = [addImage(store, 'a', '1', { layers: [layer] }), addImage(store, 'b', '1', { layers: [layer] })];
    await feed(openOciSink({ out, perRepository: true }), store, images, { parallel: true });
    const hex = images[0]?.blobs.find(({ size }) => size === 5000)?.digest.slice(7) ?? '';
    expect(statSync(join(out, 'a/blobs/sha256', hex)).ino).toBe(statSync(join(out, 'b/blobs/sha256', hex)).ino);
  });

  it('links the files of the source with --link, and does not read them', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const image = addImage(store, 'a', '1');
    const source = temporaryFolder();
    onTestFinished(() => source.remove());
    for (const { digest } of image.blobs) writeFileSync(source.file(digest), store.bytes(digest));
    let opened = 0;
    store.onOpen = () => opened++;
    await feed(openOciSink({ out, link: true }), store, [image], { file: (digest) => source.file(digest) });
    expect(opened).toBe(0);
    for (const { digest } of image.blobs)
      expect(statSync(join(out, 'blobs/sha256', digest.slice(7))).ino).toBe(statSync(source.file(digest)).ino);
    await readLayout(out);
  });

  it('reads what --link cannot link: a file of another size', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const source = temporaryFolder();
    onTestFinished(() => source.remove());
    writeFileSync(source.file('wrong'), 'not it');
    await feed(openOciSink({ out, link: true }), store, [addImage(store, 'a', '1')], {
      file: () => source.file('wrong'),
    });
    await readLayout(out);
  });
});
