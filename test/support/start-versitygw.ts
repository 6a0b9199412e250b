import { mkdirSync } from 'node:fs';
import { get } from 'node:http';
import { get as getSecurely } from 'node:https';
import { freePort } from './free-port.ts';
import { peerCommand } from './peers.ts';
import { startProcess, type StartedProcess } from './start-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A real S3 server over a temporary folder. */
export interface S3Server {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** The variables that regtar and the tools of AWS read. */
  readonly env: Readonly<Record<string, string>>;
  /** Holds a folder for each bucket; files that are put there are objects without an ETag. */
  readonly folder: string;
  readonly process: StartedProcess;
  stop(): Promise<void>;
}

/**
 * Starts versitygw on a free port.
 * @param buckets made beforehand
 * @param tls PEM files: then it speaks https
 */
export async function startVersitygw(
  buckets: readonly string[],
  tls?: { readonly certificate: string; readonly key: string },
): Promise<S3Server> {
  const folder = temporaryFolder();
  for (const bucket of buckets) mkdirSync(folder.file('objects', bucket), { recursive: true });
  mkdirSync(folder.file('meta'));
  const port = await freePort();
  const [accessKey, secretKey] = ['test-access-key', 'test-secret-key-of-nobody'];
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  const server = await startProcess(
    peerCommand('versitygw'),
    [
      ...['--access', accessKey, '--secret', secretKey, '--port', `127.0.0.1:${port}`, '--health', '/health'],
      ...(tls === undefined ? [] : ['--cert', tls.certificate, '--key', tls.key]),
      ...['--keep-alive', '--quiet', 'posix', '--sidecar', folder.file('meta'), folder.file('objects')],
    ],
    { ready: () => answers(`${url}/health`) },
  );
  return {
    url,
    accessKey,
    secretKey,
    env: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_REGION: 'us-east-1' },
    folder: folder.file('objects'),
    process: server,
    async stop() {
      await server.stop();
      folder.remove();
    },
  };
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const send = url.startsWith('https:') ? getSecurely : get;
    send(url, { agent: false, rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).once('error', () => resolve(false));
  });
}
