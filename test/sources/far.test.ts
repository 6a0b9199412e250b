import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSource } from '../../src/formats/read-source.ts';
import { collectBody } from '../../src/io/body.ts';
import { digestAlgorithm, digestOf } from '../../src/oci/digest.ts';
import { parseBucketAddress } from '../../src/s3/address.ts';
import { openBucket } from '../../src/s3/bucket.ts';
import { sourceWords } from '../../src/source/far/source-words.ts';
import { openSource } from '../../src/source/open-source.ts';
import { regtarDone } from '../e2e/support/regtar.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startNginx, type Nginx } from '../support/start-nginx.ts';
import { startVersitygw, type S3Server } from '../support/start-versitygw.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { tar } = buildStorage((s) => {
  const app = s.image('team/app', ['v1', 'latest'], { layers: ['base', 'app'] });
  s.signature(app);
  s.index('multi', '1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
});

type Place = 'web' | 'bucket';
/** A row of the table "What lies where" in docs/sources.md, and what it says of both places. */
interface Row {
  readonly row: string;
  /** Files and folders that are put there, by their names. */
  readonly names: readonly string[];
  readonly says: Readonly<Record<Place, string>>;
}

const rows: readonly Row[] = [
  {
    row: "a registry's storage, tar",
    names: ['docker.tar'],
    says: { web: 'by ranges', bucket: 'by ranges' },
  },
  {
    row: 'OCI layout, docker-archive or dir, tar',
    names: ['oci.tar', 'layouts.tar', 'docker-archive.tar', 'dir.tar'],
    says: { web: 'by ranges', bucket: 'by ranges' },
  },
  {
    row: 'any of these, compressed',
    names: ['docker.tar.gz', 'oci.tar.gz', 'docker-archive.tar.zst', 'dir.tar.gz'],
    says: { web: 'in one piece', bucket: 'in one piece' },
  },
  {
    row: "a registry's storage, folder",
    names: ['storage'],
    says: { web: '`SOURCE_DENIED`', bucket: 'by its keys' },
  },
  {
    row: 'OCI layout or dir, folder',
    names: ['layout', 'tree'],
    says: { web: '`SOURCE_DENIED`', bucket: '`SOURCE_NOT_REGISTRY`' },
  },
  {
    row: 'a file of a folder',
    names: ['layout/index.json'],
    says: { web: '`SOURCE_NOT_TAR`', bucket: '`SOURCE_NOT_TAR`' },
  },
];

describeWith(['nginx', 'versitygw', 'zstd'], 'formats on a web server and in a bucket', () => {
  const folder = temporaryFolder();
  const root = folder.file('root');
  const at = (name: string): string => `${root}/${name}`;
  let nginx: Nginx;
  let server: S3Server;
  const addressOf = (place: Place, name: string): string =>
    place === 'web' ? `${nginx.url}/files/${name}` : `s3://files/${name}?endpoint=${server.url}`;

  beforeAll(async () => {
    mkdirSync(root);
    writeFileSync(at('docker.tar'), tar());
    const save = (out: string, ...args: string[]) => regtarDone(['export', at('docker.tar'), at(out), ...args, '-q']);
    await Promise.all([
      save('oci.tar'),
      save('layout'),
      save('layouts', '--per-repository'),
      save('tree', '--format', 'dir'),
      save('storage', '--format', 'registry'),
      save('docker-archive.tar', '--format', 'docker-archive', '--include', 'team/app:v1'),
    ]);
    for (const [name, folderName] of [
      ['dir', 'tree'],
      ['layouts', 'layouts'],
    ] as const)
      await run('tar', ['-cf', at(`${name}.tar`), '-C', at(folderName), '.']);
    for (const name of ['docker', 'oci', 'dir']) await run('gzip', ['-k', at(`${name}.tar`)]);
    await run('zstd', ['-q', at('docker-archive.tar')]);
    nginx = await startNginx({ root });
    server = await startVersitygw(['files']);
    const bucket = openBucket(parseBucketAddress(`s3://files?endpoint=${server.url}`), {
      words: sourceWords,
      codes: { missing: 'SOURCE_NOT_FOUND', denied: 'SOURCE_DENIED', refused: 'SOURCE_UNREADABLE' },
      env: server.env,
    });
    const { stdout } = await run('find', [root, '-type', 'f', '-printf', '%P\\n']);
    for (const key of stdout.trim().split('\n'))
      await bucket.request({ method: 'PUT', key, body: readFileSync(at(key)) });
    await bucket.close();
  });
  afterAll(async () => {
    await nginx.stop();
    await server.stop();
    folder.remove();
  });

  /** Names and digests; every blob is read and compared with its digest. */
  const contents = async (operand: string): Promise<readonly string[]> => {
    const far = { env: server.env, retry: { times: 1, delaySeconds: 0.01 } };
    const backup = await openSource([operand], { far, spoolFolder: folder.path });
    try {
      const { catalog, store } = await readSource(backup);
      const found: string[] = [];
      for (const repository of catalog.repositories()) {
        for (const { tag, digest } of catalog.tags(repository)) found.push(`${repository}:${tag}@${digest}`);
        for (const digest of catalog.revisions(repository)) found.push(`${repository}@${digest}`);
      }
      for (const digest of catalog.blobs()) {
        expect(digestOf(await collectBody(store.open(digest), Infinity), digestAlgorithm(digest))).toBe(digest);
        found.push(digest);
      }
      return found.sort();
    } finally {
      await backup.close();
    }
  };

  const cases = rows.flatMap(({ names, says }) =>
    names.flatMap((name) => (['web', 'bucket'] as const).map((place) => ({ name, place, says: says[place] }))),
  );

  it.each(cases)('$name, $place: $says', async ({ name, place, says }) => {
    const address = addressOf(place, name);
    const code = /^`(\w+)`$/.exec(says)?.[1];
    if (code !== undefined) {
      await expect(contents(place === 'web' && !name.includes('.') ? `${address}/` : address)).rejects.toMatchObject({
        code,
      });
      return;
    }
    const before = nginx.requests().length;
    expect(await contents(address)).toEqual(await contents(at(name)));
    if (place === 'bucket') return;
    const asked = nginx.requests().slice(before);
    expect(asked.every(({ range, status }) => range.startsWith('bytes=') && status === 206)).toBe(true);
  });

  it('says of a folder of another format in a bucket what it is, and what helps', async () => {
    for (const [name, noun] of [
      ['layout', 'an OCI layout'],
      ['tree', 'no'],
    ] as const)
      await expect(contents(addressOf('bucket', name))).rejects.toMatchObject({
        message: expect.stringContaining(noun) as string,
        hint: expect.stringMatching(/tar/) as string,
      });
  });

  it('docs/sources.md has this table', () => {
    const page = readFileSync(new URL('../../docs/sources.md', import.meta.url), 'utf8');
    const [, section = ''] = page.split('\n## What lies where\n');
    const table = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)].slice(1);
    expect(table.map(([, row, web, bucket]) => ({ row, says: { web, bucket } }))).toEqual(
      rows.map(({ row, says }) => ({ row, says })),
    );
  });
});
