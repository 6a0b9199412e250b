import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { havePeer, type Peer } from '../support/peers.ts';
import { readLayout } from '../support/read-layout.ts';
import { run } from '../support/run.ts';
import { startContainerd, type Containerd } from '../support/start-containerd.ts';
import { startDockerd, type Dockerd } from '../support/start-dockerd.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { archive, file, symlink } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const { built, tar } = buildStorage((s) => ({
  app: s.image('team/app', ['v1', 'latest'], { layers: ['base', 'app'] }),
  web: s.image('web', 'v1', { layers: ['base', 'web'] }),
}));
const backup = folder.file('backup.tar');
const tree = folder.file('tree');
const at = (name: string): string => folder.file(name);
const image = `dir:${tree}/team/app:v1`;

interface Row {
  /** As the table of docs/sources.md has it. */
  readonly row: string;
  readonly needs: readonly Peer[];
  readonly make: (out: string) => Promise<unknown>;
  readonly args?: readonly string[];
  /** What `list` prints. */
  readonly lists: readonly string[];
  /** Whether manifests have to be made. */
  readonly makes?: true;
}

let podman: Podman | undefined;
let dockerd: Dockerd | undefined;
let containerd: Containerd | undefined;
let registry: Registry | undefined;

const skopeo = (...args: string[]): Promise<unknown> => run('skopeo', ['--insecure-policy', 'copy', '-q', ...args]);
const inPodman = async (...args: string[]): Promise<void> => void (await podman?.podman(args));

const rows: readonly Row[] = [
  {
    row: 'OCI layout, folder: skopeo',
    needs: ['skopeo'],
    make: (out) => skopeo(image, `oci:${out}:1.0`),
    args: ['--repository', 'mine/app'],
    lists: ['mine/app:1.0'],
  },
  {
    row: 'OCI layout, archive: skopeo',
    needs: ['skopeo'],
    make: (out) => skopeo(image, `oci-archive:${out}:docker.io/library/app:1`),
    lists: ['library/app:1'],
  },
  {
    row: 'OCI layout, folder: podman',
    needs: ['podman'],
    make: (out) => inPodman('save', '-q', '--format', 'oci-dir', '-o', out, 'docker.io/library/app:1'),
    lists: ['library/app:1'],
  },
  {
    row: 'OCI layout, archive: podman',
    needs: ['podman'],
    make: (out) => inPodman('save', '-q', '--format', 'oci-archive', '-o', out, 'localhost/own/app:2'),
    lists: ['own/app:2'],
  },
  {
    row: 'OCI layout, folder: buildah',
    needs: ['buildah'],
    make: async (out) => {
      const store = ['--storage-driver', 'vfs', '--root', at('buildah'), '--runroot', at('buildah-run')];
      const { stdout } = await run('buildah', [...store, 'pull', '-q', image]);
      await run('buildah', [...store, 'push', '-q', stdout.trim(), `oci:${out}:v1`]);
    },
    args: ['--repository', 'team/built'],
    lists: ['team/built:v1'],
  },
  {
    row: 'OCI layout, folder: umoci',
    needs: ['umoci'],
    make: async (out) => {
      await run('umoci', ['init', '--layout', out]);
      await run('umoci', ['new', '--image', `${out}:v2`]);
    },
    args: ['--repository', 'made/here'],
    lists: ['made/here:v2'],
  },
  {
    row: 'OCI layout, archive: ctr',
    needs: ['containerd', 'ctr'],
    make: async (out) => {
      await regtarDone(['export', backup, at('for-ctr.tar'), '--prefix', 'registry.example.com/x', '-q']);
      await containerd?.importArchive(at('for-ctr.tar'));
      const names = ['team/app:v1', 'web:v1'].map((name) => `registry.example.com/x/${name}`);
      await containerd?.ctr(['images', 'export', out, ...names]);
    },
    lists: ['x/team/app:v1', 'x/web:v1'],
  },
  {
    row: 'docker-archive: docker save, classic store',
    needs: ['docker', 'dockerd'],
    make: async (out) => {
      await regtarDone(['export', backup, at('for-docker.tar'), '--format', 'docker-archive', '-q']);
      await dockerd?.docker(['load', '-i', at('for-docker.tar')]);
      await dockerd?.docker(['save', '-o', out, 'team/app:v1', 'team/app:latest', 'web:v1']);
    },
    lists: ['team/app:latest', 'team/app:v1', 'web:v1'],
    makes: true,
  },
  {
    row: 'docker-archive: podman, many images',
    needs: ['podman'],
    make: (out) => inPodman('save', '-q', '-m', '-o', out, 'docker.io/library/app:1', 'localhost/own/app:2'),
    lists: ['library/app:1', 'own/app:2'],
    makes: true,
  },
  {
    row: 'docker-archive: skopeo',
    needs: ['skopeo'],
    make: (out) => skopeo(image, `docker-archive:${out}:docker.io/library/app:1`),
    lists: ['library/app:1'],
    makes: true,
  },
  {
    row: 'dir, one folder: skopeo copy',
    needs: ['skopeo'],
    make: (out) => skopeo(image, `dir:${out}`),
    args: ['--repository', 'one/app'],
    lists: ['one/app:latest'],
  },
  {
    row: 'dir, one folder: podman',
    needs: ['podman'],
    make: (out) => inPodman('save', '-q', '--format', 'docker-dir', '-o', out, 'docker.io/library/app:1'),
    args: ['--repository', 'one/app'],
    lists: ['one/app:latest'],
  },
  {
    row: 'dir, tree: skopeo sync',
    needs: ['skopeo', 'docker-registry'],
    make: async (out) => {
      mkdirSync(out);
      const args = [
        '--insecure-policy',
        'sync',
        '--src',
        'docker',
        '--dest',
        'dir',
        '--src-tls-verify=false',
        '--scoped',
      ];
      await run('skopeo', [...args, `${registry?.host ?? ''}/team/app`, out]);
    },
    lists: ['team/app:latest', 'team/app:v1'],
  },
  { row: 'OCI layout, folder: regtar', needs: [], make: (out) => regtarDone(['export', backup, out]), lists: [] },
  {
    row: 'OCI layouts of repositories: regtar',
    needs: [],
    make: (out) => regtarDone(['export', backup, out, '--per-repository']),
    lists: [],
  },
  {
    row: 'docker-archive: regtar',
    needs: [],
    make: (out) => regtarDone(['export', backup, out, '--format', 'docker-archive']),
    lists: [],
  },
  {
    row: 'dir, tree: regtar',
    needs: [],
    make: (out) => regtarDone(['export', backup, out, '--format', 'dir']),
    lists: [],
  },
  {
    row: 'dir, tree with safe names: regtar',
    needs: [],
    make: (out) => regtarDone(['export', backup, out, '--format', 'dir', '--path-style', 'safe']),
    lists: [],
  },
];
/** What programs wrote that are not in Debian, when `testdata/programs/make.js` ran them. */
const saved: readonly Row[] = [
  {
    row: 'OCI layout, folder: crane, --annotate-ref',
    needs: [],
    make: (out) => unpack('crane-oci', out),
    lists: ['tools/multi:1.0'],
  },
  {
    row: 'docker-archive: crane',
    needs: [],
    make: (out) => unpack('crane.tar', out),
    lists: ['tools/hello:1.0', 'tools/hello:edge'],
    makes: true,
  },
  {
    row: 'docker-archive: crane, --format=legacy',
    needs: [],
    make: (out) => unpack('crane-legacy.tar', out),
    lists: ['tools/hello:1.0'],
    makes: true,
  },
  {
    row: 'OCI layout, folder: regctl',
    needs: [],
    make: (out) => unpack('regctl-oci', out),
    args: ['--repository', 'tools/hello'],
    lists: ['tools/hello:1.0'],
  },
  {
    row: 'OCI layout, archive: regctl',
    needs: [],
    make: (out) => unpack('regctl.tar', out),
    lists: ['tools/multi:1.0'],
  },
  {
    row: 'OCI layout, folder: oras',
    needs: [],
    make: (out) => unpack('oras-oci', out),
    args: ['--repository', 'team/app/web'],
    lists: ['team/app/web:2.0'],
  },
  {
    row: 'OCI layout, archive: oras backup',
    needs: [],
    make: (out) => unpack('oras.tar', out),
    args: ['--repository', 'tools/hello'],
    lists: [
      ...['1.0', '1.1', 'edge', 'latest'].map((tag) => `tools/hello:${tag}`),
      'tools/hello:sha256-746dfe408684bb9e6f28296798f634b1d5bb105283960c670e0d608648ed3284.sig',
    ],
  },
  {
    row: 'OCI layout, folder: hauler',
    needs: [],
    make: (out) => unpack('hauler-oci', out),
    lists: ['tools/hello:1.0', 'tools/multi:1.0'],
  },
  {
    row: 'OCI layout, archive: hauler store save',
    needs: [],
    make: (out) => unpack('hauler.tar.zst', out),
    lists: ['tools/hello:1.0', 'tools/multi:1.0'],
  },
  {
    row: 'docker-archive: kaniko',
    needs: [],
    make: (out) => unpack('kaniko.tar', out),
    lists: ['tools/kaniko:1', 'tools/kaniko:latest'],
    makes: true,
  },
];

async function unpack(name: string, out: string): Promise<void> {
  const file = name.endsWith('.tar') ? `${name}.gz` : `${name}.tar.gz`;
  const packed = fileURLToPath(new URL(`../../testdata/programs/${file}`, import.meta.url));
  const into = `${out}-saved`;
  mkdirSync(into);
  await run('tar', ['-xzf', packed, '-C', into]);
  renameSync(join(into, name), out);
}

/** Made by the scripts below, in the shapes that programs write which no test can run. */
const shapes: readonly Row[] = [
  {
    row: 'docker-archive: docker save since 25',
    needs: [],
    make: async (out) => {
      const { config, layer, manifest } = plainImage('docker 25');
      const annotations = { 'io.containerd.image.name': 'docker.io/library/app:1', [refName]: '1' };
      const saved = [{ Config: pathOf(config), RepoTags: ['app:1'], Layers: [pathOf(layer)] }];
      writeFileSync(
        out,
        archive([
          ...[config, layer, manifest].map((bytes) => file(pathOf(bytes), bytes)),
          file('index.json', indexOf([{ ...descriptor(manifest), annotations }])),
          file('manifest.json', JSON.stringify(saved)),
          file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
        ]),
      );
    },
    lists: ['library/app:1'],
  },
  {
    row: 'docker-archive: docker save before 25, layers by symlink',
    needs: [],
    make: async (out) => {
      const { config, layer } = plainImage('links');
      const [first, second] = ['a'.repeat(64), 'b'.repeat(64)];
      const saved = ['one:1', 'two:1'].map((tag, index) => ({
        Config: `${hex(config)}.json`,
        RepoTags: [tag],
        Layers: [`${index === 0 ? first : second}/layer.tar`],
      }));
      const members = [
        file(`${first}/layer.tar`, layer),
        symlink(`${second}/layer.tar`, `../${first}/layer.tar`),
        file(`${hex(config)}.json`, config),
        file('manifest.json', JSON.stringify(saved)),
      ];
      writeFileSync(out, archive(members));
    },
    lists: ['one:1', 'two:1'],
    makes: true,
  },
  {
    row: 'OCI layouts of repositories: zot',
    needs: [],
    make: async (out) => {
      for (const repository of ['team/app', 'team']) {
        const { config, layer, manifest } = plainImage(repository);
        const referrer = Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: manifestType,
            artifactType: 'example/sbom',
            config: descriptor(config),
            layers: [],
            subject: descriptor(manifest),
          }),
        );
        writeLayout(
          join(out, repository),
          [config, layer, manifest, referrer],
          [{ ...descriptor(manifest), annotations: { [refName]: 'v1' } }, descriptor(referrer)],
        );
      }
    },
    lists: ['team/app:v1', 'team:v1'],
  },
];

const refName = 'org.opencontainers.image.ref.name';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const pathOf = (bytes: Uint8Array): string => `blobs/sha256/${hex(bytes)}`;
const descriptor = (bytes: Uint8Array, mediaType = manifestType): object => ({
  mediaType,
  digest: `sha256:${hex(bytes)}`,
  size: bytes.length,
});
const indexOf = (manifests: readonly object[]): string => JSON.stringify({ schemaVersion: 2, manifests });

/** One layer, not compressed. */
function plainImage(text: string): { readonly config: Buffer; readonly layer: Buffer; readonly manifest: Buffer } {
  const layer = archive([file('hello', text)]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [`sha256:${hex(layer)}`] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
      layers: [descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')],
    }),
  );
  return { config, layer, manifest };
}

function writeLayout(out: string, blobs: readonly Buffer[], manifests: readonly object[]): void {
  mkdirSync(join(out, 'blobs/sha256'), { recursive: true });
  for (const bytes of blobs) writeFileSync(join(out, pathOf(bytes)), bytes);
  writeFileSync(join(out, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(out, 'index.json'), indexOf(manifests));
}

const everything = ['team/app:latest', 'team/app:v1', 'web:v1'];
const all = [...rows, ...saved, ...shapes];
const possible = all.filter(({ needs }) => needs.every(havePeer));
const impossible = all.filter(({ needs }) => !needs.every(havePeer));
const fileOf = ({ row }: Row): string => at(row.replaceAll(/[^a-z]+/gi, '-').toLowerCase());

beforeAll(async () => {
  writeFileSync(backup, tar());
  await regtarDone(['export', backup, tree, '--format', 'dir', '-q']);
  const needed = new Set(possible.flatMap(({ needs }) => needs));
  if (needed.has('podman')) {
    podman = createPodman();
    const { stdout } = await podman.podman(['pull', '-q', image]);
    for (const name of ['docker.io/library/app:1', 'localhost/own/app:2'])
      await podman.podman(['tag', stdout.trim(), name]);
  }
  [dockerd, containerd, registry] = await Promise.all([
    needed.has('dockerd') ? startDockerd() : undefined,
    needed.has('containerd') ? startContainerd() : undefined,
    needed.has('docker-registry') ? startRegistry() : undefined,
  ]);
  if (registry !== undefined) await regtarDone(['push', backup, registry.host, '--plain-http', '-q']);
  for (const row of possible) await row.make(fileOf(row));
});
afterAll(async () => {
  await Promise.all([podman?.stop(), dockerd?.stop(), containerd?.stop(), registry?.stop()]);
  folder.remove();
});

it.skipIf(impossible.length === 0)(`without ${impossible.map(({ row }) => row).join('; ')}`, () => {
  if (process.env['CI']) expect(impossible.map(({ row }) => row)).toEqual([]);
});

describe.each(possible)('$row', (row) => {
  const { args = [], makes } = row;
  const lists = row.lists.length === 0 ? everything : row.lists;

  it('is listed, is sound, and becomes a layout whose images another reader finds whole', async () => {
    const source = fileOf(row);
    const list = await regtar(['list', source, ...args]);
    expect(list.stdout.trim().split('\n')).toEqual(lists);
    expect(list.stderr.includes('holds layers without manifests')).toBe(makes === true);
    const verified = await regtarJson<{ images: { whole: number }; sound: boolean }>(['verify', source, ...args]);
    expect([verified.sound, verified.images.whole]).toEqual([true, lists.length]);
    const out = `${source}-again`;
    await regtarDone(['export', source, out, ...args, '-q']);
    const { entries } = await readLayout(out);
    const named = entries.filter(({ annotations }) => annotations?.['io.containerd.image.name'] !== undefined);
    // A signature is not an image that a loader should make.
    const images = lists.filter((name) => !name.endsWith('.sig'));
    expect(named.map(({ annotations }) => annotations?.[refName]).sort()).toEqual(images);
    // The program's own formats keep digests; a manifest that was made is the same in every run.
    if (row.row.endsWith('regtar')) {
      expect(new Set(entries.map(({ digest }) => digest))).toEqual(new Set([built.app.digest, built.web.digest]));
    }
    if (makes === true) {
      await regtarDone(['export', source, `${out}2`, ...args, '-q']);
      expect(readFileSync(join(`${out}2`, 'index.json')).equals(readFileSync(join(out, 'index.json')))).toBe(true);
    }
  });
});

it('docs/sources.md has these rows and no others that are said to be made by a program', () => {
  const page = readFileSync(new URL('../../docs/sources.md', import.meta.url), 'utf8');
  const [section = ''] = page.split('\n## ');
  const table = [...section.matchAll(/^\| ([^|]+) \| ([^|]+) \|/gm)].map(
    ([, format = '', maker = '']) => `${format}: ${maker}`,
  );
  expect(table.slice(1)).toEqual(all.map(({ row }) => row));
});
