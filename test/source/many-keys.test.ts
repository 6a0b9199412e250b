import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { program } from '../e2e/support/regtar.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startPagingS3, type PagingS3 } from './support/start-paging-s3.ts';

const root = 'docker/registry/v2/';
const repositories = 100;
const images = 10;
const layers = 650;
const folder = temporaryFolder();
const objects = new Map<string, Buffer>();
let server: PagingS3;

beforeAll(async () => {
  for (let repository = 0; repository < repositories; repository++) addRepository(`team/app-${repository}`);
  server = await startPagingS3('registry', objects);
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

it('100,000 keys and more take a request for each page and each prefix, and memory that is bounded', async () => {
  expect(objects.size).toBeGreaterThan(100_000);
  const peak = folder.file('peak');
  const code = `import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(${JSON.stringify(peak)}, String(process.resourceUsage().maxRSS)));`;
  const { stdout } = await run(
    process.execPath,
    [
      ...['--import', `data:text/javascript,${encodeURIComponent(code)}`, program],
      ...['inspect', `s3://registry?endpoint=${server.url}`, '--json'],
    ],
    { env: { HOME: folder.path } },
  );
  expect(JSON.parse(stdout)).toMatchObject({
    repositories,
    tags: repositories * images,
    blobs: repositories * (images * 2 + layers / 2),
  });
  const listings = server.requests.filter((each) => each.includes('list-type=2'));
  // What fits into no page is asked for once more, in parts: the folders of blobs, and three of each repository.
  const prefixes = 256 + repositories * 3;
  expect(listings.length).toBeLessThanOrEqual(Math.ceil(objects.size / 1000) + prefixes + 10);
  const read = server.requests.filter((each) => !each.includes('list-type=2'));
  expect(read.length).toBe(repositories * images * 2);
  expect(new Set(read).size).toBe(read.length);
  expect(Number(readFileSync(peak, 'utf8')) / 1024).toBeLessThan(200);
});

function addRepository(name: string): void {
  const own = `${root}repositories/${name}/`;
  for (let image = 0; image < images; image++) {
    const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', name, image }));
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: addBlob(config), size: config.length },
        layers: [],
      }),
    );
    const digest = addBlob(manifest);
    const link = digest.replace(':', '/');
    for (const path of [`revisions/${link}`, `tags/v${image}/current`, `tags/v${image}/index/${link}`])
      objects.set(`${own}_manifests/${path}/link`, Buffer.from(digest));
  }
  for (let layer = 0; layer < layers; layer++) {
    const digest = digestOf(Buffer.from(`${name} ${layer}`));
    if (layer % 2 === 0) objects.set(dataKey(digest), Buffer.from(`${name} ${layer}`));
    objects.set(`${own}_layers/${digest.replace(':', '/')}/link`, Buffer.from(digest));
  }
}

function addBlob(bytes: Buffer): string {
  const digest = digestOf(bytes);
  objects.set(dataKey(digest), bytes);
  return digest;
}

function dataKey(digest: string): string {
  return `${root}blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
