import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { freePort } from './free-port.ts';
import { peerCommand } from './peers.ts';
import { run } from './run.ts';
import { startProcess, type StartedProcess } from './start-process.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

export interface RegistryOptions {
  /** Debian's docker-registry 2.8, or Distribution 3. @defaultValue `docker-registry` */
  readonly software?: 'docker-registry' | 'distribution';
  /** Folder that holds, or will hold, `docker/registry/v2`; a temporary one when absent. */
  readonly storage?: string;
  /** Keep the storage in a bucket, by the registry's own s3 driver. */
  readonly s3?: {
    readonly endpoint: string;
    readonly bucket: string;
    readonly prefix: string;
    readonly accessKey: string;
    readonly secretKey: string;
  };
  /** Listen here, for a registry that comes back where it was; a free port when absent. */
  readonly port?: number;
  /** The only user who may do anything. */
  readonly htpasswd?: { readonly username: string; readonly password: string };
  /** PEM files; with `clientAuthority` only clients whose certificate it signed get in. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string };
  /** Allow DELETE. */
  readonly delete?: boolean;
  readonly readonly?: boolean;
  /** Answer uploads with Locations without scheme and host. */
  readonly relativeurls?: boolean;
  /** Bearer authentication by a token service; `rootcertbundle` is a PEM file that its signatures are checked with. */
  readonly tokenService?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly rootcertbundle: string;
  };
  /** Take manifests whose layers are foreign (`urls`); refused by default, as the registry itself does. */
  readonly foreignLayers?: boolean;
  /** Take and serve docker schema1; off by default, as in the registry itself. */
  readonly schema1?: boolean;
  /** Pull through from another registry, and hold what was pulled. */
  readonly proxyOf?: string;
  /** Write an access log, which `requests()` reads. */
  readonly accessLog?: boolean;
}

export interface Registry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  /** The folder above `docker/registry/v2`. */
  readonly storage: string;
  readonly process: StartedProcess;
  /** Method, path and status of every request so far; needs `accessLog`. */
  requests(): readonly { readonly method: string; readonly path: string; readonly status: number }[];
  /** Ends it; a temporary storage goes with it, one that was given stays. */
  stop(): Promise<void>;
}

const instanceHeader = 'x-registry-instance';

/** Starts a real docker-registry on 127.0.0.1 with a configuration of its own. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const folder = temporaryFolder();
  const storage = options.storage ?? folder.file('storage');
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return await startOn(port, storage, folder, options);
    } catch (error) {
      // Another test may have taken the free port in between.
      if (attempt < 3 && options.port === undefined && String(error).includes('address already in use')) continue;
      folder.remove();
      throw error;
    }
  }
}

async function startOn(
  port: number,
  storage: string,
  folder: TemporaryFolder,
  options: RegistryOptions,
): Promise<Registry> {
  const host = `127.0.0.1:${port}`;
  const url = `${options.tls ? 'https' : 'http'}://${host}`;
  const instance = randomUUID();
  writeFileSync(
    folder.file('config.json'),
    JSON.stringify(await configuration(host, instance, storage, folder, options)),
  );
  const server = await startProcess(
    peerCommand(options.software ?? 'docker-registry'),
    ['serve', folder.file('config.json')],
    {
      // The registry lets REGISTRY_… variables override its configuration.
      env: withoutRegistryVariables(),
      ready: () => answers(`${url}/v2/`, instance),
    },
  );
  return {
    host,
    port,
    url,
    storage,
    process: server,
    requests: () => parseAccessLog(server.log()),
    stop: async () => {
      await server.stop();
      folder.remove();
    },
  };
}

/** The registry reads YAML, of which JSON is a part. */
async function configuration(
  host: string,
  instance: string,
  storage: string,
  folder: TemporaryFolder,
  options: RegistryOptions,
): Promise<Record<string, unknown>> {
  return {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: options.accessLog !== true } },
    storage: {
      ...(options.s3
        ? {
            s3: {
              regionendpoint: options.s3.endpoint,
              region: 'us-east-1',
              bucket: options.s3.bucket,
              rootdirectory: `/${options.s3.prefix}`,
              accesskey: options.s3.accessKey,
              secretkey: options.s3.secretKey,
              secure: false,
              v4auth: true,
            },
            redirect: { disable: true },
          }
        : { filesystem: { rootdirectory: storage } }),
      delete: { enabled: options.delete === true },
      maintenance: { uploadpurging: { enabled: false }, readonly: { enabled: options.readonly === true } },
    },
    http: {
      addr: host,
      secret: 'only-for-tests',
      // Somebody else may listen on this port already, and would answer as well.
      headers: { [instanceHeader]: [instance] },
      relativeurls: options.relativeurls === true,
      ...(options.tls && {
        tls: {
          certificate: options.tls.certificate,
          key: options.tls.key,
          ...(options.tls.clientAuthority !== undefined && { clientcas: [options.tls.clientAuthority] }),
        },
      }),
    },
    ...(options.proxyOf !== undefined && { proxy: { remoteurl: options.proxyOf } }),
    ...(options.schema1 === true && { compatibility: { schema1: { enabled: true } } }),
    ...(options.foreignLayers === true && { validation: { manifests: { urls: { allow: ['^https?://'] } } } }),
    ...(options.htpasswd && {
      auth: { htpasswd: { realm: 'test', path: await writeHtpasswd(folder, options.htpasswd) } },
    }),
    ...(options.tokenService && { auth: { token: options.tokenService } }),
  };
}

async function writeHtpasswd(
  folder: TemporaryFolder,
  user: { readonly username: string; readonly password: string },
): Promise<string> {
  // bcrypt is the only form the registry takes; cost 4 keeps the tests fast.
  const { stdout } = await run('htpasswd', ['-niB', '-C', '4', user.username], { input: user.password });
  const path = folder.file('htpasswd');
  writeFileSync(path, stdout);
  return path;
}

function withoutRegistryVariables(): Record<string, undefined> {
  // Its s3 driver reads those of AWS.
  const names = Object.keys(process.env).filter((name) => /^(?:REGISTRY|AWS)_/.test(name));
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** 401 is an answer too, and so is a refusal for want of a client certificate. */
function answers(url: string, instance: string): Promise<boolean> {
  return new Promise((resolve) => {
    const onAnswer = (response: IncomingMessage): void => {
      response.resume();
      resolve(response.headers[instanceHeader] === instance);
    };
    const request = url.startsWith('https')
      ? httpsGet(url, { rejectUnauthorized: false, agent: false }, onAnswer)
      : httpGet(url, { agent: false }, onAnswer);
    request.once('error', (error) => resolve(/alert|certificate required/i.test(error.message)));
  });
}

function parseAccessLog(log: string): { method: string; path: string; status: number }[] {
  return [...log.matchAll(/"([A-Z]+) (\S+) HTTP\/[\d.]+" (\d{3})/g)].map(([, method = '', path = '', status = '']) => ({
    method,
    path,
    status: Number(status),
  }));
}
