import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';

/** The real registry behind the double, as a child process on loopback. */
export interface RegistryProcess {
  readonly port: number;
  start(): Promise<void>;
  /** Ends the process by its id and waits until it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts docker-registry as Harbor configures it: deletion on, schema 1 accepted, foreign URLs not filtered.
 * @param storage its root directory
 * @param configuration where to write its configuration file
 */
export async function startRegistryProcess(storage: string, configuration: string): Promise<RegistryProcess> {
  const port = await freePort();
  await mkdir(storage, { recursive: true });
  await writeFile(configuration, [
    'version: 0.1',
    'log: {level: error, accesslog: {disabled: true}}',
    `storage: {filesystem: {rootdirectory: ${JSON.stringify(storage)}, maxthreads: 100}, delete: {enabled: true}, cache: {blobdescriptor: inmemory}, maintenance: {uploadpurging: {enabled: false}}}`,
    `http: {addr: "127.0.0.1:${String(port)}", secret: double}`,
    'compatibility: {schema1: {enabled: true}}',
    'validation: {disabled: true}',
    '',
  ].join('\n'));
  let child: ChildProcess | undefined;
  const registry: RegistryProcess = {
    port,
    async start() {
      const started = spawn('docker-registry', ['serve', configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
      child = started;
      let said = '';
      started.stderr.on('data', (chunk: Buffer) => { said = (said + chunk.toString()).slice(-2000); });
      for (let attempt = 0; attempt < 200; attempt += 1) {
        if (started.exitCode !== null) throw new Error(`docker-registry ended: ${said}`);
        if (await answers(port)) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`docker-registry does not answer: ${said}`);
    },
    async stop() {
      const ending = child;
      child = undefined;
      if (ending === undefined || ending.exitCode !== null) return;
      const gone = new Promise((resolve) => ending.once('exit', resolve));
      ending.kill('SIGKILL');
      await gone;
    },
  };
  await registry.start();
  return registry;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Where a registry of this storage keeps a blob's bytes. */
export function blobFile(storage: string, digest: string): string {
  const [algorithm = '', hex = ''] = digest.split(':');
  return path.join(storage, 'docker/registry/v2/blobs', algorithm, hex.slice(0, 2), hex, 'data');
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/v2/' }, (response) => {
      response.resume();
      resolve(true);
    }).on('error', () => { resolve(false); });
  });
}
