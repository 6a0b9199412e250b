import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFolderPlace } from '../../src/formats/registry/folder-place.ts';
import { createPlacedBlobs } from '../../src/formats/registry/placed-blobs.ts';
import type { Place, PutOptions } from '../../src/formats/registry/place.ts';
import { blobPath, layerLinkPath } from '../../src/formats/registry/layout.ts';
import { bodyOf, collectBody } from '../../src/io/body.ts';
import type { StoredBytes } from '../../src/io/file-copier.ts';
import { verifiedBody } from '../../src/io/verified-body.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
let turn = 0;
let root: string;
let place: Place;

function openLive(path: string): Place {
  const temporary = `${path}.tmp`;
  mkdirSync(temporary, { recursive: true });
  let names = 0;
  return openFolderPlace(path, { live: true, temporaryPath: () => join(temporary, String(names++)) });
}

beforeEach(() => {
  root = folder.file(`place-${turn++}`);
  mkdirSync(root);
  place = openLive(root);
});

const bytes = Buffer.from('some bytes');
const blob = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };
const open = (content: Uint8Array) => () => verifiedBody(bodyOf(content), blob);

/** What every place does; a bucket runs the same. */
describe('a folder as a place', () => {
  it('has what was put, and lists it', async () => {
    expect(await place.stat('a/b/c')).toBeUndefined();
    expect(await place.put('a/b/c', bytes)).toBe('written');
    expect(await place.put('a/d', () => bodyOf(bytes, bytes))).toBe('written');
    expect((await place.stat('a/b/c'))?.size).toBe(bytes.length);
    expect(Buffer.from(await collectBody(place.read('a/b/c'), 100))).toEqual(bytes);
    const listed: [string, number][] = [];
    for await (const { path, size } of place.list('a')) listed.push([path, size]);
    expect(listed.sort()).toEqual([
      ['a/b/c', bytes.length],
      ['a/d', 2 * bytes.length],
    ]);
    for await (const { path } of place.list('nowhere')) expect.fail(path);
  });

  it('never touches what is there, unless it is told to replace it', async () => {
    await place.put('a', Buffer.from('first'));
    const before = await place.stat('a');
    expect(await place.put('a', bytes)).toBe('present');
    expect(await place.stat('a')).toEqual(before);
    expect(await place.put('a', Buffer.from('other'), { replace: true })).toBe('written');
    expect(readFileSync(join(root, 'a'), 'utf8')).toBe('other');
    expect((await place.stat('a'))?.version).not.toBe(before?.version);
  });

  it('shows nothing of a body that fails', async () => {
    await expect(place.put('a/b', open(Buffer.from('some bytez')))).rejects.toThrow(/damaged/);
    expect(await place.stat('a/b')).toBeUndefined();
  });

  it('takes back what it made and no more', async () => {
    mkdirSync(join(root, 'old'));
    writeFileSync(join(root, 'old/kept'), bytes);
    await place.put('old/new', bytes);
    await place.put('made/for/it', bytes);
    await place.put('made/other', bytes);
    await place.put('old/kept', bytes);
    await place.put('made/other', Buffer.from('somebody else'), { replace: true });
    writeFileSync(join(root, 'made/foreign'), 'not ours');
    expect(await place.takeBack()).toBe(3);
    expect(existsSync(join(root, 'old/kept'))).toBe(true);
    expect(existsSync(join(root, 'old/new'))).toBe(false);
    expect(existsSync(join(root, 'made/for'))).toBe(false);
    expect(readFileSync(join(root, 'made/foreign'), 'utf8')).toBe('not ours');
  });

  it('keeps what it made before it was settled, and need not remember what comes then', async () => {
    await place.put('settled/first', bytes);
    place.settle();
    await place.put('settled/second', bytes);
    await place.takeBack();
    expect(existsSync(join(root, 'settled/first'))).toBe(true);
  });

  it('gives new files and folders the mode of what is there', async () => {
    mkdirSync(join(root, 'shared'));
    chmodSync(join(root, 'shared'), 0o2770);
    await place.put('shared/a/b', bytes);
    expect((statSync(join(root, 'shared/a')).mode & 0o7777).toString(8)).toBe('2770');
    expect((statSync(join(root, 'shared/a/b')).mode & 0o7777).toString(8)).toBe('660');
  });

  it('links a file only where its mode fits', async () => {
    const file = folder.file(`file-${turn}`);
    writeFileSync(file, bytes);
    chmodSync(file, 0o600);
    expect(await place.link('a', file, bytes.length)).toBe(false);
    chmodSync(file, statSync(root).mode & 0o666);
    expect(await place.link('a', file, bytes.length + 1)).toBe(false);
    expect(await place.link('a', file, bytes.length)).toBe(true);
    expect(statSync(join(root, 'a')).ino).toBe(statSync(file).ino);
    expect(await place.takeBack()).toBe(1);
    expect(existsSync(file)).toBe(true);
  });
});

describe('a small file that follows a large one', () => {
  const size = 17 * 1024 * 1024;
  const zeros = Buffer.alloc(size);
  const digest = digestOf(zeros);
  const stored = (): StoredBytes => {
    const path = folder.file('zeros');
    writeFileSync(path, '');
    truncateSync(path, size);
    return { ranges: [{ path, start: 0, size }], digest };
  };
  const next = { path: 'repository/layers/a/link', content: Buffer.from('a') };
  const putLarge = (path: string, put: PutOptions): ReturnType<Place['put']> =>
    place.put(path, () => verifiedBody(bodyOf(zeros), { ...blob, digest: put.stored?.digest ?? digest, size }), put);
  afterEach(() => place.close());

  it('is made in the same step where its folder is there, is written by being put, and is taken back', async () => {
    await place.put('repository/layers/b/link', Buffer.from('b'));
    await putLarge('blobs/a/data', { stored: stored(), next });
    expect(readFileSync(join(root, next.path), 'utf8')).toBe('a');
    expect(await place.put(next.path, next.content)).toBe('written');
    expect(await place.put(next.path, next.content)).toBe('present');
    expect(await place.takeBack()).toBe(3);
    expect(readdirSync(root)).toEqual([]);
  });

  it('waits to be put where its folder is not there', async () => {
    await putLarge('blobs/a/data', { stored: stored(), next });
    expect(existsSync(join(root, 'repository'))).toBe(false);
    expect(await place.put(next.path, next.content)).toBe('written');
  });

  it('is not made for a large one that is damaged, and replaces nothing', async () => {
    await place.put('repository/layers/b/link', Buffer.from('b'));
    const damaged = { ...stored(), digest: blob.digest };
    await expect(putLarge('blobs/a/data', { stored: damaged, next })).rejects.toThrow(/damaged/);
    expect(existsSync(join(root, 'repository/layers/a'))).toBe(false);
    await place.put(next.path, Buffer.from('of another'));
    await putLarge('blobs/a/data', { stored: stored(), next });
    expect(await place.put(next.path, next.content)).toBe('present');
    expect(readFileSync(join(root, next.path), 'utf8')).toBe('of another');
  });
});

describe('blobs in a place', () => {
  it('are written once, and a repository may serve them', async () => {
    const blobs = createPlacedBlobs(place);
    const outcomes = await Promise.all([1, 2, 3].map(() => blobs.put(blob, open(bytes), {})));
    expect(outcomes.sort()).toEqual(['present', 'present', 'written']);
    expect(await blobs.link('team/app', blob.digest)).toBe('written');
    expect(await blobs.link('team/app', blob.digest)).toBe('present');
    expect(readFileSync(join(root, layerLinkPath('team/app', blob.digest)), 'utf8')).toBe(blob.digest);
  });

  it('are an error where something of another size is, and are replaced where that was asked for', async () => {
    await place.put(blobPath(blob.digest), Buffer.from('short'));
    await expect(createPlacedBlobs(place).put(blob, open(bytes), {})).rejects.toThrow(/5 bytes instead of 10/);
    expect(await createPlacedBlobs(place, { replace: true }).put(blob, open(bytes), {})).toBe('written');
    expect(await createPlacedBlobs(place).has(blob)).toBe(true);
  });

  it('of the right size are read where that was asked for', async () => {
    await place.put(blobPath(blob.digest), Buffer.from('other byte'));
    expect(await createPlacedBlobs(place).has(blob)).toBe(true);
    await expect(createPlacedBlobs(place, { verify: true }).has(blob)).rejects.toThrow(/damaged/);
  });
});
