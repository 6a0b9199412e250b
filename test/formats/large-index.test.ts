import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openOciSink } from '../../src/formats/oci/folder.ts';
import { regtar } from '../e2e/support/regtar.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { addImage, createMemoryStore, feed } from './images.ts';

const folder = temporaryFolder();
const out = folder.file('layout');
afterAll(() => folder.remove());

const tags = 20_000;
/** As three hundred thousand tags have it. */
const indexBytes = 135 * 2 ** 20;
const entries: string[] = [];

beforeAll(async () => {
  const store = createMemoryStore();
  await feed(openOciSink({ out }), store, [addImage(store, 'a', '1')]);
  const { manifests } = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as { manifests: object[] };
  const note = 'x'.repeat(indexBytes / tags);
  for (let tag = 0; tag < tags; tag++)
    entries.push(
      JSON.stringify({
        ...manifests[0],
        annotations: { note, 'org.opencontainers.image.ref.name': `a:${tag}` },
      }),
    );
});

function writeIndex(text: string): void {
  writeFileSync(join(out, 'index.json'), `{"schemaVersion":2,"manifests":[${text}]}`);
}

it('a layout of as many tags as regtar writes is read', async () => {
  writeIndex(entries.join());
  const { code, stdout } = await regtar(['list', out]);
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(tags);
});

it('one whose index is damaged in the middle is refused by name', async () => {
  writeIndex(entries.with(tags / 2, '{"digest":sha256}').join());
  const { code, stderr } = await regtar(['list', out]);
  expect(stderr).toMatch(/^regtar: MANIFEST_INVALID: index\.json in .* is not the index of an OCI layout/m);
  expect(code).toBe(1);
});
