import { targetName } from '../content/target-name.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageSink } from '../content/contracts.ts';
import { RegtarError, systemErrorCode, systemReason } from '../errors.ts';
import { limits } from '../io/limits.ts';
import type { OutputStream } from '../io/output-stream.ts';
import { openDockerArchiveSink } from '../formats/docker-archive/archive.ts';

/** How images reach an engine. */
export interface EngineOptions {
  /** `unix:///run/docker.sock`, `tcp://host:port`, or a socket's path. */
  readonly host: string;
  /** A folder with `ca.pem`, `cert.pem` and `key.pem`, for `tcp` with TLS. */
  readonly certPath?: string | undefined;
  /** Put before the names that images get. */
  readonly prefix?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads images straight into a running engine, Docker's or podman's compatible one: a docker-archive as the body of one
 * request, no file in between.
 * @throws RegtarError ENGINE_UNREACHABLE, ENGINE_REFUSED with the engine's own words
 * @see Docker Engine API, "Import images": POST /images/load
 */
export async function openEngineSink(options: EngineOptions): Promise<ImageSink> {
  const request = await startRequest(options);
  const archive = openDockerArchiveSink({ out: '-', stream: request.stream, prefix: options.prefix });
  return {
    ...archive,
    describe: (target) =>
      `${options.host} ${options.prefix === undefined ? '' : `${options.prefix}/`}${targetName(target)}`,
    async close() {
      await archive.close();
      await request.close();
    },
  };
}

async function startRequest(
  options: EngineOptions,
): Promise<{ readonly stream: OutputStream; close(): Promise<void> }> {
  const { Client } = await import('undici');
  const { origin, connect } = engineAddress(options);
  const client = new Client(origin, { connect, headersTimeout: 0, bodyTimeout: 0 });
  const relay = createRelay();
  let answer: Promise<void> | undefined;

  // Nothing is sent before the first byte: a plan without images leaves the engine alone.
  const begin = (): void => {
    answer ??= client
      .request({
        method: 'POST',
        path: '/images/load?quiet=1',
        headers: { 'content-type': 'application/x-tar' },
        body: relay.bytes as unknown as never,
        signal: options.signal,
      })
      .then(async ({ statusCode, body }) => {
        const text = (await body.text()).slice(0, limits.responseBytes);
        const refusal = statusCode === 200 ? errorIn(text) : (errorIn(text) ?? `status ${statusCode}`);
        if (refusal !== undefined) throw refused(options.host, refusal);
      })
      .catch((cause: unknown) => {
        const error = cause instanceof RegtarError ? cause : unreachable(options.host, cause);
        relay.fail(error);
        throw error;
      });
    answer.catch(() => undefined);
  };

  return {
    stream: {
      rewindable: false,
      get position() {
        return relay.position();
      },
      async write(bytes) {
        begin();
        await relay.write(bytes);
      },
      rewind: () => Promise.reject(new RegtarError('INTERNAL', 'a request cannot be rewound')),
      async complete() {
        relay.end();
        await answer;
      },
      async discard() {
        relay.fail(new RegtarError('INTERRUPTED', 'the archive was given up', { side: 'source' }));
        await answer?.catch(() => undefined);
      },
    },
    close: () => client.destroy(),
  };
}

/** Hands bytes from a writer to a reader that asks for them; a write has ended when its bytes are on the socket. */
function createRelay() {
  let offered: { readonly bytes: Uint8Array; readonly taken: () => void } | undefined;
  let wake = (): void => undefined;
  let isEnded = false;
  let failure: unknown;
  let position = 0;
  const settle = (): void => {
    offered?.taken();
    offered = undefined;
  };
  async function* read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (failure !== undefined) throw failure;
      if (offered !== undefined) {
        yield offered.bytes;
        settle();
      } else if (isEnded) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }
  return {
    bytes: read(),
    position: () => position,
    async write(bytes: Uint8Array): Promise<void> {
      if (failure !== undefined) throw failure;
      position += bytes.length;
      await new Promise<void>((resolve) => {
        // A small chunk may wait in the socket's queue while its buffer is used again.
        offered = { bytes: bytes.length < 64 * 1024 ? Uint8Array.from(bytes) : bytes, taken: resolve };
        wake();
      });
      if (failure !== undefined) throw failure;
    },
    end(): void {
      isEnded = true;
      wake();
    },
    fail(error: unknown): void {
      failure ??= error;
      settle();
      wake();
    },
  };
}

/**
 * Reads where an engine is and with which certificates it is spoken to. A command asks before it reads a backup.
 * @throws RegtarError USAGE, CONFIG_INVALID where a certificate cannot be read
 */
export function engineAddress({ host, certPath }: Pick<EngineOptions, 'host' | 'certPath'>): {
  readonly origin: string;
  readonly connect: { socketPath?: string; ca?: string; cert?: string; key?: string };
} {
  if (host.startsWith('unix://') || host.startsWith('/'))
    return { origin: 'http://engine', connect: { socketPath: host.replace(/^unix:\/\//, '') } };
  const address = /^(?:tcp|http|https):\/\/(.+?)\/?$/.exec(host)?.[1];
  if (address === undefined)
    throw new RegtarError('USAGE', `"${host}" is not an engine that regtar can reach`, {
      hint: 'give unix:///path/to/docker.sock or tcp://host:port; for ssh:// forward the socket with `ssh -L`',
    });
  if (certPath === undefined)
    return { origin: `${host.startsWith('https') ? 'https' : 'http'}://${address}`, connect: {} };
  const read = (name: string): string => {
    const path = join(certPath, name);
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      throw new RegtarError('CONFIG_INVALID', `${path} cannot be read: ${systemReason(cause)}`, {
        where: { path },
        cause,
        hint: 'DOCKER_CERT_PATH names a folder with ca.pem, cert.pem and key.pem',
      });
    }
  };
  return {
    origin: `https://${address}`,
    connect: { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') },
  };
}

/** The engine answers with a line of JSON for each step; one of them may be a failure, although the status is 200. */
function errorIn(text: string): string | undefined {
  for (const line of text.split('\n')) {
    try {
      const step: unknown = JSON.parse(line);
      if (typeof step !== 'object' || step === null) continue;
      if ('error' in step && typeof step.error === 'string') return step.error;
      if ('message' in step && typeof step.message === 'string') return step.message;
    } catch {
      // Progress in words is not a failure.
    }
  }
  return undefined;
}

function refused(host: string, words: string): RegtarError {
  return new RegtarError(
    'ENGINE_REFUSED',
    `the engine at ${host} did not load the images: ${words.trim().slice(0, 500)}`,
    { where: { url: host }, hint: 'its log says more; is there room where it unpacks images?' },
  );
}

function unreachable(host: string, cause: unknown): RegtarError {
  return new RegtarError(
    'ENGINE_UNREACHABLE',
    `no engine answers at ${host}: ` +
      `${systemErrorCode(cause) ?? (cause instanceof Error ? cause.message : String(cause))}`,
    {
      where: { url: host },
      cause,
      hint: 'is it running, and may this user open its socket? Name another one with --socket or DOCKER_HOST',
    },
  );
}
