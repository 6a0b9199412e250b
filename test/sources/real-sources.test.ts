import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkTarget } from '../../src/check/check-target.ts';
import { imagesTarget } from '../../src/check/images-target.ts';
import { summarize } from '../../src/content/summarize.ts';
import { readSource, type ReadSource } from '../../src/formats/read-source.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { logIn } from '../../src/push/login.ts';
import { preparePush } from '../../src/push/push.ts';
import { openRegistry } from '../../src/remote/registry.ts';
import { readReport } from '../../src/report/read-report.ts';
import { createNarrower } from '../../src/select/choose-platforms.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { diffBackups } from '../../src/select/diff.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { checkBlobs } from '../../src/serve/checked-blobs.ts';
import { createRoutes } from '../../src/serve/routes.ts';
import { startServer } from '../../src/serve/server.ts';
import { openSource } from '../../src/source/open-source.ts';
import { verifyBackup } from '../../src/verify/verify.ts';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { havePeer, type Peer } from '../support/peers.ts';
import { readLayout } from '../support/read-layout.ts';
import { listRegistry, type RegistryTag } from '../support/read-registry.ts';
import { run } from '../support/run.ts';
import { startContainerd, type Containerd } from '../support/start-containerd.ts';
import { startDockerd, type Dockerd } from '../support/start-dockerd.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { refName } from './support/layout-members.ts';

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
  /** `--repository` */
  readonly repository?: string;
  /** `--platform`, where the program keeps no other. */
  readonly platform?: string;
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
const isOldDocker =
  havePeer('dockerd') && Number(/version (\d+)/.exec(spawnSync('dockerd', ['--version']).stdout.toString())?.[1]) < 25;
/** What docker saves of images that it has loaded. */
const inDocker = async (from: string, out: string, ...names: string[]): Promise<void> => {
  await regtarDone(['export', from, `${out}-for-docker`, '--format', 'docker-archive', '-q']);
  await dockerd?.docker(['load', '-i', `${out}-for-docker`]);
  await dockerd?.docker(['save', '-o', out, ...names]);
};
const inPodman = async (...args: string[]): Promise<void> => void (await podman?.podman(args));

const rows: readonly Row[] = [
  {
    row: 'OCI layout, folder: skopeo',
    needs: ['skopeo'],
    make: (out) => skopeo(image, `oci:${out}:1.0`),
    repository: 'mine/app',
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
    repository: 'team/built',
    lists: ['team/built:v1'],
  },
  {
    row: 'OCI layout, folder: umoci',
    needs: ['umoci'],
    make: async (out) => {
      await run('umoci', ['init', '--layout', out]);
      await run('umoci', ['new', '--image', `${out}:v2`]);
    },
    repository: 'made/here',
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
    row: 'docker-archive: docker save before 25',
    needs: ['docker', 'dockerd'],
    make: (out) => inDocker(backup, out, 'team/app:v1', 'team/app:latest', 'web:v1'),
    lists: ['team/app:latest', 'team/app:v1', 'web:v1'],
    ...(isOldDocker && { makes: true }),
  },
  {
    row: 'docker-archive: docker save before 25, layers by symlink',
    needs: ['docker', 'dockerd'],
    make: async (out) => {
      const swapped = buildStorage((s) => {
        s.image('one', '1', { layers: ['first', 'second'] });
        s.image('two', '1', { layers: ['second', 'first'] });
      });
      writeFileSync(at('swapped.tar'), swapped.tar());
      await inDocker(at('swapped.tar'), out, 'one:1', 'two:1');
      if (isOldDocker) expect((await run('tar', ['-tvf', out])).stdout).toMatch(/layer\.tar -> \.\.\//);
    },
    lists: ['one:1', 'two:1'],
    ...(isOldDocker && { makes: true }),
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
    repository: 'one/app',
    lists: ['one/app:latest'],
  },
  {
    row: 'dir, one folder: podman',
    needs: ['podman'],
    make: (out) => inPodman('save', '-q', '--format', 'docker-dir', '-o', out, 'docker.io/library/app:1'),
    repository: 'one/app',
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
    repository: 'tools/hello',
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
    repository: 'team/app/web',
    lists: ['team/app/web:2.0'],
  },
  {
    row: 'OCI layout, archive: oras backup',
    needs: [],
    make: (out) => unpack('oras.tar', out),
    repository: 'tools/hello',
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
  {
    row: 'docker-archive: docker save since 25, classic store',
    needs: [],
    make: (out) => unpack('docker-classic.tar', out),
    lists: ['library/app:1', 'library/app:2', 'team/app/web:2.0', 'tools/hello:1.1'],
  },
  {
    row: 'docker-archive: docker save since 25, containerd store',
    needs: [],
    make: (out) => unpack('docker-containerd.tar', out),
    platform: 'linux/amd64',
    lists: ['library/app:1', 'library/app:2', 'team/app/web:2.0', 'tools/hello:1.1'],
  },
  {
    row: 'OCI layout, archive: docker buildx, type=oci',
    needs: [],
    make: (out) => unpack('buildx-oci.tar', out),
    lists: ['own/build:1', 'own/build:2'],
  },
  {
    row: 'docker-archive: docker buildx, type=docker',
    needs: [],
    make: (out) => unpack('buildx-docker.tar', out),
    lists: ['library/build:latest'],
  },
  {
    row: 'docker-archive: jib',
    needs: [],
    make: (out) => unpack('jib-docker.tar', out),
    lists: ['team/jib:1', 'team/jib:latest'],
    makes: true,
  },
  {
    row: 'OCI layout, archive: jib, format OCI',
    needs: [],
    make: (out) => unpack('jib-oci.tar', out),
    lists: ['team/jib:latest'],
  },
  {
    row: 'OCI layouts of repositories: zot',
    needs: [],
    make: (out) => unpack('zot', out),
    lists: [
      'base/extra:zstd',
      'charts/hello:0.1.0',
      ...['RC1', 'v1.10', 'v1.9'].map((tag) => `library/twice:${tag}`),
      'team/app/web/suite:1',
      'team/app/web:2.0',
      'team/app/web:latest',
      ...['1.0', '1.1', 'edge', 'latest'].map((tag) => `tools/hello:${tag}`),
      'tools/hello:sha256-746dfe408684bb9e6f28296798f634b1d5bb105283960c670e0d608648ed3284.sig',
      'tools/multi:1.0',
    ],
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

const everything = ['team/app:latest', 'team/app:v1', 'web:v1'];
const all = [...rows, ...saved];
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
  const { makes, platform, repository } = row;
  const lists = row.lists.length === 0 ? everything : row.lists;
  const source = fileOf(row);
  const again = `${source}-again`;
  const args = [
    ...(repository === undefined ? [] : ['--repository', repository]),
    ...(platform === undefined ? [] : ['--platform', platform]),
  ];

  it('is listed, and becomes a layout whose images another reader finds whole', async () => {
    const list = await regtar(['list', source, ...args]);
    expect(list.stdout.trim().split('\n')).toEqual(lists);
    expect(list.stderr.includes('holds layers without manifests')).toBe(makes === true);
    await regtarDone(['export', source, again, ...args, '-q', '--report', `${again}.json`]);
    const { entries } = await readLayout(again);
    const named = entries.filter(({ annotations }) => annotations?.['io.containerd.image.name'] !== undefined);
    // A signature is not an image that a loader should make.
    const images = lists.filter((name) => !name.endsWith('.sig'));
    expect(named.map(({ annotations }) => annotations?.[refName]).sort()).toEqual(images);
    // The program's own formats keep digests; a manifest that was made is the same in every run.
    if (row.row.endsWith('regtar')) {
      expect(new Set(entries.map(({ digest }) => digest))).toEqual(new Set([built.app.digest, built.web.digest]));
    }
    if (makes === true) {
      await regtarDone(['export', source, `${again}2`, ...args, '-q']);
      expect(readFileSync(join(`${again}2`, 'index.json')).equals(readFileSync(join(again, 'index.json')))).toBe(true);
    }
  });

  it('is inspected, verified, compared, checked, served and pushed', async () => {
    const platforms = platform === undefined ? [] : [parsePlatform(platform)];
    const namesOf = (tags: readonly Pick<RegistryTag, 'repository' | 'tag'>[]): string[] =>
      tags
        .map((each) => `${each.repository}:${each.tag}`)
        .filter((name) => lists.includes(name))
        .sort();
    await withRead(source, repository, async (read) => {
      expect(summarize(read.catalog, read.store).tags).toBe(lists.length);
      const narrow = platforms.length > 0 ? createNarrower(platforms) : undefined;
      const verified = await verifyBackup(read, { narrow });
      expect([verified.sound, verified.images.whole]).toEqual([true, lists.length]);

      await withRead(again, undefined, async (copy) => {
        expect(diffBackups(read, copy).travel.blobs).toBe(0);
        const report = readReport(readFileSync(`${again}.json`, 'utf8'), 'report');
        // Of one platform, the name has another digest than in SOURCE.
        for (const target of platforms.length > 0 ? [copy] : [copy, read]) {
          const checked = await checkTarget(imagesTarget('copy', target), report, { rename: same, deep: true });
          expect(checked.differences).toEqual([]);
          expect(checked.images.same).toBeGreaterThanOrEqual(lists.length);
        }
      });

      const blobs = checkBlobs(read.store);
      const routes = createRoutes({ ...read, blobs });
      const server = await startServer({ routes, blobs, listen: { host: '127.0.0.1', port: 0 } });
      const served = await listRegistry({ url: `http://127.0.0.1:${server.port}` });
      await server.stop();
      expect(namesOf(served)).toEqual([...lists].sort());

      if (registry === undefined) return;
      const prefix = `row-${all.indexOf(row)}`;
      await pushTo(registry.host, prefix, read, platforms);
      const arrived = (await listRegistry(registry, `${prefix}/`)).map((each) => ({
        ...each,
        repository: each.repository.slice(prefix.length + 1),
      }));
      expect(namesOf(arrived)).toEqual([...lists].sort());
      if (platforms.length === 0) expect(digestsOf(arrived, lists)).toEqual(digestsOf(served, lists));
    });
  });
});

const same = (name: string): string => name;

function digestsOf(tags: readonly RegistryTag[], names: readonly string[]): string[] {
  return tags.filter(({ repository, tag }) => names.includes(`${repository}:${tag}`)).map(({ digest }) => digest);
}

async function withRead(
  source: string,
  repository: string | undefined,
  use: (read: ReadSource) => Promise<void>,
): Promise<void> {
  const opened = await openSource([source], { spoolFolder: folder.path });
  try {
    await use(await readSource(opened, { repository }));
  } finally {
    await opened.close();
  }
}

async function pushTo(
  host: string,
  prefix: string,
  { catalog, store }: ReadSource,
  platforms: readonly ReturnType<typeof parsePlatform>[],
): Promise<void> {
  const anonymous = { kind: 'anonymous', origin: 'the tests' } as const;
  const target = await openRegistry({ host, scheme: 'http', credentials: async () => anonymous });
  try {
    const login = await logIn(target);
    const filter = createFilter({});
    const plan = createPlan(catalog, store, {
      filter,
      rename: createRenamer({ prefix }),
      traits: login.traits,
      platforms,
    });
    const { images } = await (await preparePush(target, plan, { login, store, verify: true })).run(store);
    expect(images.filter(({ status }) => status === 'failed')).toEqual([]);
  } finally {
    await target.close();
  }
}

it('docs/sources.md has these rows and no others that are said to be made by a program', () => {
  const page = readFileSync(new URL('../../docs/sources.md', import.meta.url), 'utf8');
  const [section = ''] = page.split('\n## ');
  const table = [...section.matchAll(/^\| ([^|]+) \| ([^|]+) \|/gm)].map(
    ([, format = '', maker = '']) => `${format}: ${maker}`,
  );
  expect(table.slice(1)).toEqual(all.map(({ row }) => row));
});
