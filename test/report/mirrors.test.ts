import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mirrorOf } from '../../src/report/clients/moved-names.ts';
import type { ClientFile } from '../../src/report/clients/setup.ts';
import { regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { digestOfTag } from '../e2e/support/expected-images.ts';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startContainerd, type Containerd } from '../support/start-containerd.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const old = 'registry.old.example:5000';
const folder = temporaryFolder();
afterAll(() => folder.remove());

async function files(args: readonly string[]): Promise<readonly ClientFile[]> {
  return (await regtarJson<{ files: ClientFile[] }>(['mirrors', ...args])).files;
}

describe('what leads old names to new ones', () => {
  const images = (names: Readonly<Record<string, string>>) =>
    Object.entries(names).map(([repository, moved]) => ({ repository, tag: '1', moved }));

  it('is a path where one says everything, else every repository', () => {
    expect(mirrorOf(old, images({ a: 'p/a', 'a/b': 'p/a/b' }))).toEqual({ from: old, path: 'p' });
    expect(mirrorOf(old, images({ a: 'a', 'a/b': 'a/b' }))).toEqual({ from: old, path: '' });
    expect(mirrorOf(old, images({ a: 'p/a', 'a/b': 'a/b' })).renamed).toEqual([
      { from: 'a', to: 'p/a' },
      { from: 'a/b', to: 'a/b' },
    ]);
  });

  it('k3s: a rewrite for all, or one for each repository that matches no other', async () => {
    const [one] = await files([fixturePath, 'harbor.example.com/moved', '--for', 'k3s', '--from', old]);
    expect(one?.text).toContain('    rewrite:\n      "^(.*)$": "moved/$1"\n');
    const [each] = await files([fixturePath, 'harbor.example.com', '--for', 'k3s', '--from', old, '--project', 'p']);
    expect(each?.text).toContain('      "^base$": "p/base"\n      "^base/extra$": "base/extra"\n');
  });

  it('what containerd and docker cannot say is refused by name, and so is a file without the old registry', async () => {
    for (const [args, words] of [
      [['--for', 'containerd', '--from', old, '--project', 'p'], /containerd has one path .* base is p\/base now/],
      [['--for', 'docker', '--from', old], /docker has no setting for a mirror of registry\.old/],
      [['--for', 'podman'], /needs --from/],
    ] as const) {
      const { code, stderr } = await regtar(['mirrors', fixturePath, 'harbor.example.com', ...args]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
    }
  });

  it('a table of all names, of what was chosen', async () => {
    const { stdout } = await regtarDone([
      ...['mirrors', fixturePath, 'harbor.example.com/x', '--for', 'table', '--from', old],
      ...['--include', 'tools/**', '--map', 'tools/*=infra/*', '--exclude', '**:sha256-*', '--semver', '1.0'],
    ]);
    expect(stdout).toBe(
      `${old}/tools/hello:1.0 harbor.example.com/x/infra/hello:1.0\n${old}/tools/multi:1.0 harbor.example.com/x/infra/multi:1.0\n`,
    );
  });
});

describeWith('docker-registry', 'with the registry to which everything was pushed', () => {
  let registry: Registry;
  let byPath: string;
  let byMap: string;
  beforeAll(async () => {
    registry = await startRegistry();
    [byPath, byMap] = [folder.file('path.json'), folder.file('map.json')];
    const push = (target: string, report: string, ...more: string[]): Promise<unknown> =>
      regtarDone(['push', fixturePath, target, '--include', 'tools/**', '--report', report, ...more]);
    await push(`${registry.host}/moved`, byPath);
    await push(registry.host, byMap, '--map', 'tools/hello=greetings', '--map', 'tools/*=other/*');
  });
  afterAll(() => registry.stop());

  const names = ['tools/hello:1.0', 'tools/multi:1.0'];

  it('the table of a report has the names that are there', async () => {
    const { stdout } = await regtarDone(['mirrors', '--report', byMap, '--for', 'table']);
    expect(stdout).toContain(`tools/hello:1.0 ${registry.host}/greetings:1.0\n`);
  });

  describeWith('skopeo', 'skopeo', () => {
    it.each(['path', 'map'])('reads old names by %s', async (kind) => {
      const report = kind === 'path' ? byPath : byMap;
      const [file] = await files(['--report', report, '--for', 'podman', '--from', old, '--plain-http']);
      writeFileSync(folder.file('skopeo.conf'), file?.text ?? '');
      for (const name of names) {
        const { stdout } = await run('skopeo', [
          ...['--registries-conf', folder.file('skopeo.conf')],
          ...['inspect', '--no-tags', '--format', '{{.Digest}}', `docker://${old}/${name}`],
        ]);
        expect(stdout.trim()).toBe(digestOfTag(name));
      }
    });
  });

  describeWith(['podman', 'runc'], 'podman', () => {
    let engine: Podman;
    beforeAll(() => void (engine = createPodman()));
    afterAll(() => engine.stop());

    it('pulls old names that were mapped one by one', async () => {
      const [file] = await files(['--report', byMap, '--for', 'podman', '--from', old, '--plain-http']);
      writeFileSync(folder.file('podman.conf'), file?.text ?? '');
      for (const name of names) {
        const env = { CONTAINERS_REGISTRIES_CONF: folder.file('podman.conf') };
        await engine.podman(['pull', '-q', `${old}/${name}`], { env });
        const { stdout } = await engine.podman(['images', '--format', '{{.Digest}}', `${old}/${name}`]);
        expect(stdout.trim()).toBe(digestOfTag(name));
      }
    });
  });

  describeWith(['containerd', 'ctr', 'runc'], 'containerd', () => {
    let engine: Containerd;
    beforeAll(async () => void (engine = await startContainerd()));
    afterAll(() => engine.stop());

    it('pulls old names below the path of the new registry', async () => {
      const root = folder.file('certs.d');
      for (const { path, text } of await files([
        ...[fixturePath, `http://${registry.host}/moved`, '--for', 'containerd', '--from', old],
      ])) {
        const place = path.replace('/etc/containerd/certs.d', root);
        mkdirSync(dirname(place), { recursive: true });
        writeFileSync(place, text);
      }
      for (const name of names) {
        await engine.ctr(['images', 'pull', '--hosts-dir', root, '--snapshotter', 'native', `${old}/${name}`]);
        expect((await engine.ctr(['images', 'list', `name==${old}/${name}`])).stdout).toContain(digestOfTag(name));
      }
    });
  });
});
