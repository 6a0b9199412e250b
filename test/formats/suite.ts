import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RegtarError } from '../../src/errors.ts';
import type { ImageSink } from '../../src/content/contracts.ts';
import { verifiedBody } from '../../src/io/verified-body.ts';
import type { FileSinkOptions } from '../../src/formats/options.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import {
  addImage,
  addIndex,
  createMemoryStore,
  feed,
  feedImage,
  renamed,
  type MemoryStore,
  type TestImage,
} from './images.ts';

/** What the suite must know of a format. */
export interface SinkSubject {
  readonly title: string;
  readonly open: (options: FileSinkOptions) => ImageSink;
  readonly options?: Partial<FileSinkOptions>;
  /** `folder` or `file`: what OUT becomes. */
  readonly out: 'folder' | 'file';
  /** Whether a committed image is there before the whole output is finished. */
  readonly perImage: boolean;
  /** Reads the output with code that shares nothing with the sink. @returns root digests by name; throws when anything is damaged */
  readonly read: (out: string) => Promise<Readonly<Record<string, string>>>;
}

const layerBytes = 300_000;

/** Every sink that writes files behaves like this. */
export function describeSink(subject: SinkSubject): void {
  const open = (out: string, options: Partial<FileSinkOptions> = {}): ImageSink =>
    subject.open({ out, ...subject.options, ...options });
  const outIn = (folder: string): string => join(folder, subject.out === 'file' ? 'out.tar' : 'out');
  const newOut = (): string => {
    const folder = temporaryFolder();
    onTestFinished(() => folder.remove());
    return outIn(folder.path);
  };

  describe(subject.title, () => {
    it('holds every image under its name, byte for byte', async () => {
      const { store, images } = fixture(open('unused'));
      const out = newOut();
      expect(await feed(open(out), store, images)).toEqual(images.map(() => 'copied'));
      expect(await subject.read(out)).toEqual(namesOf(images));
    });

    it('has the same bytes whether images come one by one or all at once', async () => {
      const { store, images } = fixture(open('unused'));
      const [one, all] = [newOut(), newOut()];
      await feed(open(one), store, images);
      await feed(open(all), store, images, { parallel: true });
      expect(snapshot(all)).toEqual(snapshot(one));
    });

    it('reads a blob once that two images put at the same time', async () => {
      const store = createMemoryStore();
      const shared = { bytes: noise(layerBytes, 7) };
      const images = [
        addImage(store, 'a', '1', { layers: [shared] }),
        addImage(store, 'b', '1', { layers: [shared, 'more'] }),
      ];
      const opened = new Map<string, number>();
      store.onOpen = (digest) => opened.set(digest, (opened.get(digest) ?? 0) + 1);
      const out = newOut();
      expect(await feed(open(out), store, images, { parallel: true })).toEqual(['copied', 'copied']);
      expect(Math.max(...opened.values())).toBe(1);
      expect(await subject.read(out)).toEqual(namesOf(images));
    });

    it('leaves no trace of an image with a damaged or shortened blob, and keeps the others', async () => {
      const store = createMemoryStore();
      const good = [
        addImage(store, 'good', '1'),
        addImage(store, 'zoo', '1', { layers: ['zoo', { bytes: noise(layerBytes, 1) }] }),
      ];
      const damaged = addImage(store, 'damaged', '1', { layers: ['fine', { bytes: noise(layerBytes, 2) }] });
      const short = addImage(store, 'short', '1', { layers: ['small'] });
      for (const { digest } of damaged.blobs) if (store.bytes(digest).length === layerBytes) store.damage(digest);
      store.shorten((short.blobs[1] as { digest: Parameters<MemoryStore['shorten']>[0] }).digest);
      const out = newOut();
      const outcomes = await feed(open(out), store, [good[0] as TestImage, damaged, short, good[1] as TestImage]);
      expect(outcomes.map((each) => (each instanceof RegtarError ? each.code : each))).toEqual([
        'copied',
        'BLOB_CORRUPT',
        'BLOB_CORRUPT',
        'copied',
      ]);
      expect(await subject.read(out)).toEqual(namesOf(good));
      expect(unfinished(dirname(out))).toEqual([]);
    });

    it('writes a blob for the second image when the first one that put it fails', async () => {
      const store = createMemoryStore();
      const shared = { bytes: noise(layerBytes, 3) };
      const bad = addImage(store, 'a', '1', { layers: [shared, { bytes: noise(1000, 4) }] });
      const good = addImage(store, 'b', '1', { layers: [shared] });
      for (const { digest, size } of bad.blobs) if (size === 1000) store.damage(digest);
      const out = newOut();
      await feed(open(out), store, [bad, good], { parallel: true });
      expect(await subject.read(out)).toEqual(namesOf([good]));
    });

    it('shows nothing that is not whole when it is closed in the middle, and completes on the next run', async () => {
      const { store, images } = fixture(open('unused'));
      const out = newOut();
      const sink = open(out);
      const [first, second] = images as [TestImage, TestImage];
      await feedImage(sink, store, first);
      const writer = await sink.begin(second.target, {});
      if (typeof writer !== 'string')
        for (const blob of second.blobs)
          await writer.putBlob(blob, () => verifiedBody(store.open(blob.digest), blob), {});
      await sink.close();
      expect(unfinished(dirname(out))).toEqual([]);
      if (subject.perImage) expect(await subject.read(out)).toEqual(namesOf([first]));
      else await expect(subject.read(out)).rejects.toThrow();

      await feed(open(out), store, images);
      const undisturbed = newOut();
      await feed(open(undisturbed), store, images);
      expect(snapshot(out)).toEqual(snapshot(undisturbed));
    });

    it('leaves the same bytes, and in a folder reads no blob again, when it runs a second time', async () => {
      const { store, images } = fixture(open('unused'));
      const out = newOut();
      await feed(open(out), store, images);
      const before = snapshot(out);
      let opened = 0;
      store.onOpen = () => opened++;
      await feed(open(out), store, images);
      expect(snapshot(out)).toEqual(before);
      if (subject.out === 'folder') expect(opened).toBe(0);
    });

    it('gives a name to another image on a later run', async () => {
      const store = createMemoryStore();
      const [old, other, kept] = [
        addImage(store, 'app', '1', { layers: ['old'] }),
        addImage(store, 'app', '1', { layers: ['new'] }),
        addImage(store, 'kept', '1'),
      ];
      const out = newOut();
      await feed(open(out), store, [old, kept]);
      await feed(open(out), store, [other, kept]);
      expect(await subject.read(out)).toEqual(namesOf([other, kept]));
    });

    it('takes over what a killed run left', async () => {
      const { store, images } = fixture(open('unused'));
      const out = newOut();
      const { pid } = spawnSync('true');
      const lock = JSON.stringify({ host: hostname(), pid, started: 'long ago' });
      if (subject.out === 'folder') {
        mkdirSync(join(out, '.regtar-tmp', '3'), { recursive: true });
        writeFileSync(join(out, '.regtar-tmp', '3', 'half'), 'half');
        writeFileSync(join(out, '.regtar-lock'), lock);
      } else {
        writeFileSync(join(dirname(out), '.regtar-out.tar.tmp'), noise(2_000_000, 9));
        writeFileSync(join(dirname(out), '.regtar-out.tar.lock'), lock);
      }
      await feed(open(out), store, images);
      const undisturbed = newOut();
      await feed(open(undisturbed), store, images);
      expect(snapshot(out)).toEqual(snapshot(undisturbed));
      expect(unfinished(dirname(out))).toEqual([]);
    });

    it('tells the second of two exports into one place', async () => {
      const { store, images } = fixture(open('unused'));
      const out = newOut();
      const first = open(out);
      await feedImage(first, store, images[0] as TestImage);
      const second = open(out);
      await expect(feedImage(second, store, images[0] as TestImage)).rejects.toMatchObject({ code: 'OUTPUT_BUSY' });
      await second.close();
      for (const image of images.slice(1)) await feedImage(first, store, image);
      await first.finish({});
      await first.close();
      expect(await subject.read(out)).toEqual(namesOf(images));
    });

    it('refuses what somebody else put there, with --force too, and does not touch it', async () => {
      const { store, images } = fixture(open('unused'));
      for (const force of [false, true]) {
        const out = newOut();
        if (subject.out === 'folder') {
          mkdirSync(out);
          writeFileSync(join(out, 'thesis.txt'), 'years of work');
        } else writeFileSync(out, 'years of work');
        const before = snapshot(dirname(out));
        const sink = open(out, { force });
        await expect(feedImage(sink, store, images[0] as TestImage)).rejects.toMatchObject({ code: 'OUTPUT_FOREIGN' });
        await sink.close();
        expect(snapshot(dirname(out))).toEqual(before);
      }
    });

    it('starts anew with --force where regtar wrote before', async () => {
      const store = createMemoryStore();
      const [old, fresh] = [addImage(store, 'old', '1'), addImage(store, 'fresh', '1')];
      const out = newOut();
      await feed(open(out), store, [old]);
      await feed(open(out, { force: true }), store, [fresh]);
      const undisturbed = newOut();
      await feed(open(undisturbed), store, [fresh]);
      expect(snapshot(out)).toEqual(snapshot(undisturbed));
    });

    it('writes nothing before the first image', async () => {
      const out = newOut();
      const sink = open(out);
      await sink.finish({});
      await sink.close();
      expect(existsSync(out)).toBe(false);
    });

    it('stops when it is told, and leaves nothing unfinished', async () => {
      const { store, images } = fixture(open('unused'));
      const out = newOut();
      const sink = open(out);
      const stop = new AbortController();
      store.onOpen = () => stop.abort();
      const image = images.at(-1) as TestImage;
      const writer = await sink.begin(image.target, { signal: stop.signal });
      if (typeof writer === 'string') throw new Error(writer);
      const work = async (): Promise<void> => {
        for (const blob of image.blobs)
          await writer.putBlob(blob, () => verifiedBody(store.open(blob.digest), blob), { signal: stop.signal });
        await writer.commit({ signal: stop.signal });
      };
      await expect(work()).rejects.toMatchObject({ name: 'AbortError' });
      await writer.abort();
      await sink.close();
      expect(unfinished(dirname(out))).toEqual([]);
    });
  });
}

function fixture(sink: ImageSink): { readonly store: MemoryStore; readonly images: readonly TestImage[] } {
  const store = createMemoryStore();
  const shared = { bytes: noise(layerBytes, 5) };
  const app = addImage(store, 'team/app', '1.0', { layers: [shared, 'app'] });
  const images = [
    app,
    renamed(app, { tag: 'Latest' }),
    addImage(store, 'team/app/nested', '1', { format: 'oci', layers: [shared] }),
    addImage(store, 'alone', 'v1', { layers: [{ bytes: noise(layerBytes, 6) }, 'x', 'y'] }),
    addImage(store, 'alone', undefined, { layers: ['untagged', shared] }),
  ];
  if (sink.traits.indexes)
    images.push(
      addIndex(store, 'multi/arch', '2', [
        { platform: 'linux/amd64', layers: ['amd', shared] },
        { platform: 'linux/arm64', layers: ['arm', shared] },
      ]),
    );
  return { store, images: images.sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1)) };
}

function nameOf({ target }: TestImage): string {
  return target.tag === undefined ? `${target.repository}@${target.root.digest}` : `${target.repository}:${target.tag}`;
}

function namesOf(images: readonly TestImage[]): Record<string, string> {
  return Object.fromEntries(images.map((image) => [nameOf(image), image.target.root.digest]));
}

/** Every file with its bytes; a folder with what is in it. */
function snapshot(path: string): Record<string, string> {
  if (statSync(path).isFile()) return { '': readFileSync(path).toString('base64') };
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      statSync(join(path, name)).isFile() ? readFileSync(join(path, name)).toString('base64') : 'folder',
    ]),
  );
}

/** Names that only an unfinished run may have. */
function unfinished(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.split('/').some((part) => part.startsWith('.regtar-')),
  );
}

/** The same bytes for the same seed; not compressible. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2654435761 + 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
