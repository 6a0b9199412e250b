import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Certificate } from '../support/certificates.ts';

/** One request for a token. */
export interface TokenRequest {
  readonly method: string;
  readonly scopes: readonly string[];
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}

export interface TokenServiceOptions {
  readonly issuer: string;
  readonly service: string;
  /** Signs the tokens; the registry trusts its authority. */
  readonly signer: Certificate;
  /** User names with their passwords; others get 401, and nobody at all is anonymous. */
  readonly users: Readonly<Record<string, string>>;
  readonly identityToken?: string;
  /** Of the token itself. */
  lifeSeconds: number;
  /** Which actions of a scope are granted; all unless told. */
  granted?: (repository: string, actions: readonly string[], user: string | undefined) => readonly string[];
  /** Answers in place of the service. @returns whether it did */
  instead?: ((request: TokenRequest, response: ServerResponse) => boolean) | undefined;
  /** The document around a token. */
  document?: (token: string, lifeSeconds: number) => unknown;
}

export interface TokenService {
  readonly realm: string;
  readonly requests: TokenRequest[];
  stop(): void;
}

/** A token service as Distribution's token.md and oauth.md describe it, with tokens that the real registry checks. */
export async function startTokenService(options: TokenServiceOptions): Promise<TokenService> {
  const requests: TokenRequest[] = [];
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const form = new URLSearchParams(body);
      const asked: TokenRequest = {
        method: request.method ?? '',
        scopes:
          request.method === 'POST'
            ? (form.get('scope') ?? '').split(' ').filter(Boolean)
            : url.searchParams.getAll('scope'),
        authorization: request.headers.authorization,
        form,
      };
      requests.push(asked);
      if (options.instead?.(asked, response) === true) return;
      answer(asked, options, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    requests,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(asked: TokenRequest, options: TokenServiceOptions, response: ServerResponse): void {
  let user: string | undefined;
  if (asked.method === 'POST') {
    if (asked.form.get('grant_type') !== 'refresh_token' || asked.form.get('refresh_token') !== options.identityToken) {
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
      return;
    }
    user = 'identity';
  } else if (asked.authorization !== undefined) {
    const [name = '', password] = Buffer.from(asked.authorization.replace('Basic ', ''), 'base64')
      .toString()
      .split(/:(.*)/s);
    if (options.users[name] !== password || password === undefined) {
      response.writeHead(401, { 'content-type': 'application/json' }).end('{"details":"wrong credentials"}');
      return;
    }
    user = name;
  }
  const access = asked.scopes.map((scope) => {
    const [type = '', name = '', actions = ''] = scope.split(':');
    return { type, name, actions: options.granted?.(name, actions.split(','), user) ?? actions.split(',') };
  });
  const token = jwt(access, options);
  const document = options.document?.(token, options.lifeSeconds) ?? {
    token,
    access_token: '',
    expires_in: options.lifeSeconds,
    issued_at: new Date().toISOString(),
  };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

function jwt(access: unknown, options: TokenServiceOptions): string {
  const chain = [new X509Certificate(readFileSync(options.signer.certificate)).raw.toString('base64')];
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = `${part({ typ: 'JWT', alg: 'ES256', x5c: chain })}.${part({ iss: options.issuer, sub: '', aud: options.service, exp: now + options.lifeSeconds, nbf: now - 10, iat: now, jti: randomUUID(), access })}`;
  return `${payload}.${sign('sha256', Buffer.from(payload), { key: readFileSync(options.signer.key), dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
