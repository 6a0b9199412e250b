import { Agent, request as sendRequest, type IncomingHttpHeaders } from 'node:http';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HarborDouble } from '../double/start.ts';
import type { Exchange, Recording, Step } from './recording.ts';
import { paddedManifest, substitute, type Substitution } from './substitution.ts';

/** What the double answered. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Plays recorded requests to a double, in their order. */
export interface Player {
  readonly substitution: Substitution;
  /** Does what happened before the request, then sends it. */
  play(exchange: Exchange): Promise<Answer>;
  stop(): Promise<void>;
}

const passwords: Readonly<Record<string, string>> = { admin: 'Harbor12345', alice: 'Passw0rd1', bob: 'Passw0rd1' };

/** @param start makes the Harbor that the recording begins with; called again where the recording changes to a fresh one */
export async function startPlayer(recording: Recording, start: () => Promise<HarborDouble>): Promise<Player> {
  let harbor = await start();
  const agent = new Agent({ keepAlive: true });
  const substitution = substitute(recording, () => harbor.host);
  const secrets = new Map(Object.entries(passwords));
  const tokens = new Map<string, string>();

  const send = (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: Buffer,
    chunked = false,
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const [hostname, port] = harbor.host.split(':');
      const length =
        body === undefined
          ? method === 'GET' || method === 'HEAD'
            ? {}
            : { 'Content-Length': '0' }
          : chunked
            ? {}
            : { 'Content-Length': String(body.length) };
      const outgoing = sendRequest(
        { agent, hostname, port, method, path, headers: { ...length, ...headers } },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('end', () => {
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) });
          });
          incoming.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  const basic = (as: string): string => {
    const name = as === 'stranger' ? 'nobody' : as.replace(/^wrong:/, '');
    const password = as === 'stranger' || as.startsWith('wrong:') ? 'not this one' : (secrets.get(name) ?? '');
    return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  };

  const fetchToken = async (as: string, scopes: readonly string[]): Promise<string> => {
    const query = new URLSearchParams({ service: 'harbor-registry' });
    for (const scope of scopes) query.append('scope', scope);
    const answer = await send(
      'GET',
      `/service/token?${query.toString()}`,
      as === 'anonymous' ? {} : { Authorization: basic(as) },
    );
    return (JSON.parse(answer.body.toString()) as { token: string }).token;
  };

  const authorization = async (exchange: Exchange): Promise<Record<string, string>> => {
    if (exchange.as === 'literal') return { Authorization: exchange.authorization ?? '' };
    if (exchange.auth === 'basic') return { Authorization: basic(exchange.as) };
    if (exchange.auth !== 'bearer') return {};
    const token =
      (exchange.token === undefined ? undefined : tokens.get(exchange.token)) ??
      (await fetchToken(exchange.as, exchange.scopes ?? []));
    if (exchange.token !== undefined) tokens.set(exchange.token, token);
    return { Authorization: `Bearer ${token}` };
  };

  const admin = (): Record<string, string> => ({ Authorization: basic('admin') });

  const prepare = async (step: Step): Promise<void> => {
    if ('restart' in step) {
      await harbor.stop();
      harbor = await start();
    } else if ('project' in step) harbor.createProject(step.project);
    else if ('settings' in step) Object.assign(harbor.settings, step.settings);
    else if ('registry' in step) await (step.registry === 'down' ? harbor.stopRegistry() : harbor.startRegistry());
    else if ('core' in step) harbor.setCoreDown(step.core === 'down');
    else if ('token' in step) tokens.set(step.token, await fetchToken('admin', step.scopes));
    else if ('unlocked' in step) await sleep(harbor.settings.loginLockMilliseconds + 50);
    else if ('lock' in step)
      void send('GET', '/v2/', { Authorization: basic(`wrong:${step.lock}`) })
        .catch(() => undefined)
        .then(() => undefined);
    else if ('upload' in step) {
      const { headers } = await send('POST', `/v2/${step.repository}/blobs/uploads/`, admin());
      learnUpload(substitution, step.upload, step.state, headers.location ?? '');
    } else {
      const body = substitution.content(step.blob);
      const { headers } = await send('POST', `/v2/${step.repository}/blobs/uploads/`, admin());
      const { status } = await send('PUT', `${pathOf(headers.location)}&digest=${digestOf(body)}`, admin(), body);
      if (status !== 201) throw new Error(`cannot upload what the recording had uploaded: ${String(status)}`);
    }
    // The wrong password has to arrive first.
    if ('lock' in step) await sleep(30);
  };

  return {
    substitution,
    async play(exchange) {
      for (const step of exchange.before ?? []) await prepare(step);
      const { request } = exchange;
      const body = bodyOf(exchange, substitution);
      const headers = { ...(await authorization(exchange)), ...request.headers };
      const answer = await send(request.method, pathFor(exchange, substitution), headers, body, request.chunked);
      const location = exchange.response.headers['Location'] ?? '';
      const upload = /uploads\/([0-9a-f-]{36})\?_state=(s\d+)/.exec(location);
      if (upload !== null) learnUpload(substitution, upload[1] ?? '', upload[2], answer.headers.location ?? '');
      if (answer.status === 201 && request.path === '/api/v2.0/robots') {
        const robot = JSON.parse(answer.body.toString()) as { name: string; secret: string };
        secrets.set(robot.name, robot.secret);
      }
      return answer;
    },
    async stop() {
      agent.destroy();
      await harbor.stop();
    },
  };
}

function learnUpload(substitution: Substitution, upload: string, state: string | undefined, location: string): void {
  const ours = /uploads\/([0-9a-f-]{36})\?_state=([^&]*)/.exec(location);
  if (ours === null) return;
  substitution.learn(upload, ours[1] ?? '');
  if (state !== undefined) substitution.learn(state, ours[2] ?? '');
}

function pathFor({ request }: Exchange, substitution: Substitution): string {
  const path = substitution.ours(request.path);
  // A SHA-512 says nothing about the bytes that stand in for the recorded ones.
  const { blob } = request;
  return blob === undefined
    ? path
    : path.replace(
        /sha512:[0-9a-f]{128}/,
        () => `sha512:${createHash('sha512').update(substitution.content(blob)).digest('hex')}`,
      );
}

function bodyOf({ request }: Exchange, substitution: Substitution): Buffer | undefined {
  if (request.body !== undefined)
    return Buffer.from(
      request.path.includes('/manifests/') && request.body.startsWith('{\n')
        ? request.body
        : substitution.ours(request.body),
    );
  if (request.blob !== undefined) return substitution.content(request.blob);
  if (request.bytes !== undefined) return Buffer.alloc(request.bytes, 'bytes\n');
  return request.manifestBytes === undefined ? undefined : paddedManifest(request.manifestBytes);
}

function pathOf(location: string | undefined): string {
  const url = new URL(location ?? '', 'http://127.0.0.1');
  return url.pathname + url.search;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
