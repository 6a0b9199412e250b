import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import type { ClientFile } from '../../src/report/clients/setup.ts';
import { regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { describeWith, peerCommand } from '../support/peers.ts';
import { listRegistry } from '../support/read-registry.ts';
import { run } from '../support/run.ts';
import { startContainerd } from '../support/start-containerd.ts';
import { startProcess } from '../support/start-process.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { archive, file } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startServe } from './support/start-serve.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const config = `version: 0.1
storage: { filesystem: { rootdirectory: /registry } }
http: { addr: '127.0.0.1:0' }
`;

/** Distribution's program with the libraries that it needs, as the layer of an image. */
async function registryLayer(): Promise<Buffer> {
  const program = peerCommand('distribution');
  const { stdout } = await run('ldd', [program], { allowFailure: true });
  const libraries = stdout.match(/\/\S+/g) ?? [];
  return archive([
    file('registry-program', readFileSync(program), { mode: 0o755 }),
    file('config.yml', config),
    ...libraries.map((path) => file(path.slice(1), readFileSync(path), { mode: 0o755 })),
  ]);
}

describeWith(['distribution', 'containerd', 'ctr', 'runc'], 'an empty site', () => {
  it('gets its registry from the backup: serve, pull, start what was pulled, push', async () => {
    const layer = { bytes: await registryLayer(), mediaType: 'application/vnd.oci.image.layer.v1.tar' };
    const entrypoint = { Entrypoint: ['/registry-program', 'serve', '/config.yml'] };
    const storage = buildStorage((s) => [
      s.image('library/registry', '3', { format: 'oci', layers: [layer], config: { config: entrypoint } }),
      ...['v1', 'v2'].map((tag) => s.image('team/app', tag, { format: 'oci' })),
    ]);
    const backup = folder.file('docker.tar');
    writeFileSync(backup, storage.tar());
    const tls = ['--tls-self-signed', '--tls-dir', folder.file('tls')];
    const served = await startServe([backup, ...tls]);
    onTestFinished(() => served.process.stop());

    const { files } = await regtarJson<{ files: ClientFile[] }>([
      ...['serve', '--listen', served.host, ...tls, '--ns', 'docker.io', '--print-config', 'containerd'],
    ]);
    // Its place on a node is another one here, for the certificate as for the files.
    const here = (text: string): string => text.replaceAll('/etc/containerd/certs.d', folder.file('certs.d'));
    for (const { path, text } of files) {
      mkdirSync(dirname(here(path)), { recursive: true });
      writeFileSync(here(path), here(text));
    }

    const engine = await startContainerd();
    onTestFinished(() => engine.stop());
    const image = 'docker.io/library/registry:3';
    await engine.ctr(['images', 'pull', '--hosts-dir', folder.file('certs.d'), '--snapshotter', 'native', image]);
    const listening = /listening on (127\.0\.0\.1:\d+)/;
    const registry = await startProcess(
      'ctr',
      [
        ...['--address', engine.socket, '--namespace', 'regtar', 'run', '--rm', '--net-host'],
        ...['--snapshotter', 'native', image, 'registry'],
      ],
      { ready: async (log) => listening.test(log) },
    );
    onTestFinished(async () => {
      await engine.ctr(['tasks', 'kill', '--signal', 'SIGKILL', 'registry'], { allowFailure: true });
      await registry.ended;
    });
    const [, host = ''] = listening.exec(registry.log()) ?? [];

    await regtarDone(['push', backup, host]);
    const arrived = (await listRegistry({ url: `http://${host}` })).map(({ digest }) => digest);
    expect(arrived).toEqual(storage.built.map(({ digest }) => digest));
  });
});
