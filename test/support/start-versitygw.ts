import { mkdirSync } from 'node:fs';
import { get } from 'node:http';
import { freePort } from './free-port.ts';
import { peerCommand } from './peers.ts';
import { startProcess, type StartedProcess } from './start-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A real S3 server over a temporary folder. */
export interface S3Server {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** The variables that regtar and the tools of AWS read. */
  readonly env: Readonly<Record<string, string>>;
  readonly process: StartedProcess;
  stop(): Promise<void>;
}

/** Starts versitygw on a free port. @param buckets made beforehand */
export async function startVersitygw(buckets: readonly string[]): Promise<S3Server> {
  const folder = temporaryFolder();
  for (const bucket of buckets) mkdirSync(folder.file('objects', bucket), { recursive: true });
  mkdirSync(folder.file('meta'));
  const port = await freePort();
  const [accessKey, secretKey] = ['test-access-key', 'test-secret-key-of-nobody'];
  const server = await startProcess(
    peerCommand('versitygw'),
    [
      ...['--access', accessKey, '--secret', secretKey, '--port', `127.0.0.1:${port}`, '--health', '/health'],
      ...['--keep-alive', '--quiet', 'posix', '--sidecar', folder.file('meta'), folder.file('objects')],
    ],
    { ready: () => answers(`http://127.0.0.1:${port}/health`) },
  );
  return {
    url: `http://127.0.0.1:${port}`,
    accessKey,
    secretKey,
    env: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_REGION: 'us-east-1' },
    process: server,
    async stop() {
      await server.stop();
      folder.remove();
    },
  };
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).once('error', () => resolve(false));
  });
}
