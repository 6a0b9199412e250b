import { createSign, createVerify, generateKeyPairSync, randomBytes } from 'node:crypto';
import { send } from './answers.ts';
import { actionsOn } from './access.ts';
import { isObject, type Exchange } from './exchange.ts';
import { callerName, isLoggedIn } from './identity.ts';
import { projectOf, type World } from './world.ts';

/** What a token allows on one repository. */
export interface TokenAccess {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

interface Claims {
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
  readonly access: readonly TokenAccess[];
}

interface Issuer {
  readonly privateKey: string;
  readonly publicKey: string;
  /** Tokens whose signature was checked already: the check is the dearest part of a request. */
  readonly known: Map<string, Claims>;
}

const issuers = new WeakMap<World, Issuer>();

/** `GET /service/token`: a signed token with what the caller is allowed, whatever was asked for. */
export function serveToken(exchange: Exchange): void {
  const { response, query, world, caller } = exchange;
  if (exchange.method !== 'GET') {
    send(response, 405, 'Method Not Allowed\n', {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    });
    return;
  }
  const service = query.get('service') ?? '';
  if (service !== 'harbor-registry') {
    send(response, 400, `Unable to handle service: ${service}`, { 'Content-Type': 'text/plain; charset=utf-8' });
    return;
  }
  const scopes = query
    .getAll('scope')
    .flatMap((scope) => scope.split(' '))
    .filter((scope) => scope !== '');
  if (scopes.length === 0 && !isLoggedIn(caller)) {
    send(response, 401, '');
    return;
  }
  const now = Math.floor(Date.now() / 1000);
  const access = scopes.flatMap((scope) => grant(exchange, scope));
  const token = signToken(world, {
    sub: callerName(caller),
    iat: now,
    exp: now + world.settings.tokenLifeSeconds,
    access,
  });
  const issued = new Date(now * 1000).toISOString().replace('.000', '');
  send(
    response,
    200,
    JSON.stringify({ token, access_token: '', expires_in: world.settings.tokenLifeSeconds, issued_at: issued }),
    { 'Content-Type': 'application/json; charset=utf-8' },
  );
}

/**
 * Checks signature and life of a token.
 * @returns undefined for a token that this double did not sign or that is over
 */
export function verifyToken(world: World, token: string): Claims | undefined {
  const issuer = issuerOf(world);
  const claims = issuer.known.get(token) ?? parseToken(issuer, token);
  if (claims === undefined || claims.exp + world.settings.tokenLeewaySeconds < Date.now() / 1000) return undefined;
  return claims;
}

/** Signs a token; exported for tests that need one which the service would not give. */
function signToken(world: World, claims: Claims): string {
  const issuer = issuerOf(world);
  const header = encode({ alg: 'RS256', typ: 'JWT' });
  const payload = encode({
    iss: 'harbor-token-issuer',
    aud: 'harbor-registry',
    nbf: claims.iat,
    jti: randomBytes(8).toString('hex'),
    ...claims,
  });
  const signature = createSign('RSA-SHA256').update(`${header}.${payload}`).sign(issuer.privateKey, 'base64url');
  return `${header}.${payload}.${signature}`;
}

function grant(exchange: Exchange, scope: string): TokenAccess[] {
  const parts = /^([^:]+):(.*):([^:]*)$/.exec(scope);
  if (parts === null) return [];
  const [, type = '', name = ''] = parts;
  if (type === 'registry')
    return [{ type, name, actions: exchange.caller.kind === 'user' && exchange.caller.user.admin ? ['*'] : [] }];
  const project = name.includes('/') ? projectOf(exchange.world, name) : undefined;
  return [{ type, name, actions: project === undefined ? [] : [...actionsOn(exchange.caller, project)] }];
}

function parseToken(issuer: Issuer, token: string): Claims | undefined {
  const [header, payload, signature] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined) return undefined;
  if (!createVerify('RSA-SHA256').update(`${header}.${payload}`).verify(issuer.publicKey, signature, 'base64url'))
    return undefined;
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  if (!isObject(claims)) return undefined;
  const known: Claims = {
    sub: String(claims['sub']),
    iat: Number(claims['iat']),
    exp: Number(claims['exp']),
    access: claims['access'] as TokenAccess[],
  };
  issuer.known.set(token, known);
  return known;
}

function issuerOf(world: World): Issuer {
  const existing = issuers.get(world);
  if (existing !== undefined) return existing;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const issuer: Issuer = { privateKey, publicKey, known: new Map() };
  issuers.set(world, issuer);
  return issuer;
}

function encode(document: unknown): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url');
}
