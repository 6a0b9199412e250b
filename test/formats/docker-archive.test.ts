import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDockerArchiveSink } from '../../src/formats/docker-archive/archive.ts';
import { openFileSink } from '../../src/formats/open-file-sink.ts';
import { readDockerArchive } from '../support/read-docker-archive.ts';
import { run } from '../support/run.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { addImage, createMemoryStore, feed, feedImage, renamed } from './images.ts';
import { describeSink, noise } from './suite.ts';

describeSink({
  title: 'docker-archive',
  open: openDockerArchiveSink,
  out: 'file',
  perImage: false,
  read: async (out) => {
    const { layout } = await readDockerArchive(out);
    return Object.fromEntries(
      (layout?.entries ?? []).map(({ digest, annotations = {} }) => [
        annotations['org.opencontainers.image.ref.name'] ?? annotations['vnd.regtar.image.name'] ?? '',
        digest,
      ]),
    );
  },
});

describe('a docker-archive', () => {
  const newFolder = (): TemporaryFolder => {
    const folder = temporaryFolder();
    onTestFinished(() => folder.remove());
    return folder;
  };
  const loadable = (bytes: Buffer) => ({ files: { data: bytes } });

  it('names each image once with all of its tags, prefix included, and an image without a tag not at all', async () => {
    const store = createMemoryStore();
    const out = newFolder().file('out.tar');
    const image = addImage(store, 'b', '2');
    await feed(openDockerArchiveSink({ out, prefix: 'h.example/p/' }), store, [
      image,
      renamed(image, { tag: '1' }),
      addImage(store, 'a', undefined),
    ]);
    const { images } = await readDockerArchive(out);
    expect(images.map(({ repoTags }) => repoTags)).toEqual([[], ['h.example/p/b:1', 'h.example/p/b:2']]);
    expect((await run('tar', ['-xOf', out, 'manifest.json'])).stdout).toContain('"RepoTags":null');
  });

  it('writes a blob once that several images have, and says what completes it last', async () => {
    const store = createMemoryStore();
    const out = newFolder().file('out.tar');
    const layer = loadable(noise(100_000, 1));
    await feed(openDockerArchiveSink({ out }), store, [
      addImage(store, 'a', '1', { layers: [layer, layer] }),
      addImage(store, 'b', '1', { layers: [layer] }),
    ]);
    const { members, images } = await readDockerArchive(out);
    expect(new Set(members).size).toBe(members.length);
    expect(members[0]).toBe('oci-layout');
    expect(members.slice(-2)).toEqual(['index.json', 'manifest.json']);
    expect(images[0]?.layers).toHaveLength(2);
  });

  it('has one owner and no times', async () => {
    const store = createMemoryStore();
    const out = newFolder().file('out.tar');
    await feed(openDockerArchiveSink({ out }), store, [addImage(store, 'a', '1')]);
    const { stdout } = await run('tar', ['--utc', '--numeric-owner', '-tvf', out]);
    for (const line of stdout.trim().split('\n')) expect(line).toMatch(/^-rw-r--r-- 0\/0 +\d+ 1970-01-01 00:00 /);
  });

  it('goes to an open descriptor, the same bytes as to a file', async () => {
    const store = createMemoryStore();
    const folder = newFolder();
    const images = [addImage(store, 'a', '1', { layers: [loadable(noise(3_000_000, 2))] }), addImage(store, 'b', '1')];
    await feed(openDockerArchiveSink({ out: folder.file('file.tar') }), store, images);
    const descriptor = openSync(folder.file('stream'), 'w');
    await feed(openDockerArchiveSink({ out: '-', descriptor }), store, images);
    closeSync(descriptor);
    expect(readFileSync(folder.file('stream')).equals(readFileSync(folder.file('file.tar')))).toBe(true);
  });

  it('goes into a pipe while somebody reads it', async () => {
    const store = createMemoryStore();
    const folder = newFolder();
    await run('mkfifo', [folder.file('pipe')]);
    const reading = run('sh', ['-c', `tar -tf - < ${folder.file('pipe')}`]);
    await feed(openDockerArchiveSink({ out: folder.file('pipe') }), store, [
      addImage(store, 'a', '1', { layers: [loadable(noise(5_000_000, 2))] }),
    ]);
    expect((await reading).stdout.trim().split('\n').at(-1)).toBe('manifest.json');
  });

  it('on a stream leaves out an image with a damaged small blob, and the others go on', async () => {
    const store = createMemoryStore();
    const out = newFolder().file('stream');
    const bad = addImage(store, 'b', '1', { layers: [loadable(noise(1_000_000, 1))] });
    store.damage(bad.blobs[1]?.digest ?? bad.target.root.digest);
    const descriptor = openSync(out, 'w');
    const outcomes = await feed(openDockerArchiveSink({ out: '-', descriptor }), store, [
      addImage(store, 'a', '1'),
      bad,
      addImage(store, 'c', '1'),
    ]);
    closeSync(descriptor);
    expect(outcomes).toMatchObject(['copied', { code: 'BLOB_CORRUPT' }, 'copied']);
    expect((await readDockerArchive(out)).images.map(({ repoTags }) => repoTags[0])).toEqual(['a:1', 'c:1']);
  });

  it('on a stream ends without what a loader needs when a large blob turns out to be damaged', async () => {
    const store = createMemoryStore(1024 * 1024);
    const out = newFolder().file('stream');
    const bad = addImage(store, 'b', '1', { layers: [{ bytes: noise(17 * 1024 * 1024, 1) }] });
    store.damage(bad.blobs[1]?.digest ?? bad.target.root.digest);
    const descriptor = openSync(out, 'w');
    const sink = openDockerArchiveSink({ out: '-', descriptor });
    await feedImage(sink, store, addImage(store, 'a', '1'));
    await expect(feedImage(sink, store, bad)).rejects.toMatchObject({ code: 'OUTPUT_UNWRITABLE', side: 'source' });
    await expect(feedImage(sink, store, addImage(store, 'c', '1'))).rejects.toMatchObject({
      code: 'OUTPUT_UNWRITABLE',
    });
    await expect(sink.finish({})).rejects.toMatchObject({ code: 'OUTPUT_UNWRITABLE' });
    await sink.close();
    closeSync(descriptor);
    await expect(readDockerArchive(out)).rejects.toThrow();
  });

  it('is cut by image and by repository into archives that are called after them', async () => {
    const store = createMemoryStore();
    const folder = newFolder();
    const images = [addImage(store, 'a/b', '1'), addImage(store, 'a/b', 'X'), addImage(store, 'c', '1')];
    await feed(openDockerArchiveSink({ out: folder.file('i.tar'), split: 'image' }), store, images);
    await feed(openDockerArchiveSink({ out: folder.file('r.tar'), split: 'repository' }), store, images);
    expect(readdirSync(folder.path).sort()).toEqual([
      'i-a+b=!x.tar',
      'i-a+b=1.tar',
      'i-c=1.tar',
      'r-a+b.tar',
      'r-c.tar',
    ]);
    expect((await readDockerArchive(folder.file('r-a+b.tar'))).images).toHaveLength(2);
    expect((await readDockerArchive(folder.file('i-c=1.tar'))).images[0]?.repoTags).toEqual(['c:1']);
  });

  it('is cut by size into archives that each are whole and no larger, where one image fits', async () => {
    const store = createMemoryStore();
    const folder = newFolder();
    const shared = loadable(noise(200_000, 1));
    const images = Array.from({ length: 6 }, (_, index) =>
      addImage(store, `r${index}`, '1', { layers: [shared, loadable(noise(300_000, index + 2))] }),
    );
    const big = addImage(store, 'z', '1', { layers: [loadable(noise(2_000_000, 9))] });
    const sink = openDockerArchiveSink({ out: folder.file('s.tar'), split: { bytes: 1_200_000 } });
    await feed(sink, store, [...images, big]);
    const names = readdirSync(folder.path).sort();
    expect(names).toEqual(['s-0001.tar', 's-0002.tar', 's-0003.tar']);
    const found = await Promise.all(
      names.map(async (name) => (await readDockerArchive(folder.file(name))).images.map(({ repoTags }) => repoTags[0])),
    );
    expect(found).toEqual([['r0:1', 'r1:1', 'r2:1'], ['r3:1', 'r4:1', 'r5:1'], ['z:1']]);
    for (const name of names.slice(0, 2)) expect(readFileSync(folder.file(name)).length).toBeLessThanOrEqual(1_200_000);
    expect(sink.notes?.()).toEqual([expect.stringContaining('z:1')]);
    expect(images[0] && sink.describe(images[0].target)).toBe(`docker-archive:${folder.file('s-0001.tar')}:r0:1`);
  });

  it('is refused where OUT or an option does not go with it', async () => {
    const refused = (...args: Parameters<typeof openFileSink>) =>
      expect(openFileSink(...args)).rejects.toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
    await refused('dir', { out: '-' });
    await refused('dir', { out: 'x.tar' });
    await refused('oci', { out: 'x.tar', perRepository: true });
    await refused('oci', { out: 'x', split: 'image' });
    await expect(openFileSink('docker-archive', { out: 'x' })).resolves.toBeDefined();
  });

  it('keeps the archive that is there when nothing could be written', async () => {
    const store = createMemoryStore();
    const folder = newFolder();
    const out = folder.file('out.tar');
    await feed(openDockerArchiveSink({ out }), store, [addImage(store, 'a', '1')]);
    const before = readFileSync(out);
    const bad = addImage(store, 'b', '1');
    store.damage(bad.blobs[0]?.digest ?? bad.target.root.digest);
    await feed(openDockerArchiveSink({ out }), store, [bad]);
    expect(readFileSync(out).equals(before)).toBe(true);
    expect(readdirSync(folder.path)).toEqual(['out.tar']);
  });

  it('does not replace a backup of the same name', async () => {
    const store = createMemoryStore();
    const folder = newFolder();
    writeFileSync(folder.file('x'), 'x');
    await run('tar', ['-C', folder.path, '-cf', folder.file('docker.tar'), 'x']);
    const sink = openDockerArchiveSink({ out: folder.file('docker.tar'), force: true });
    await expect(feedImage(sink, store, addImage(store, 'a', '1'))).rejects.toMatchObject({ code: 'OUTPUT_FOREIGN' });
    await sink.close();
    expect(existsSync(join(folder.path, '.regtar-docker.tar.lock'))).toBe(false);
  });
});
