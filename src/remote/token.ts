import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import { wordsOf } from './answers.ts';
import { basicHeader, secretsOf, type Credential } from './credential.ts';
import { redact, Secret } from '../net/secret.ts';
import { isLoopback } from '../net/host.ts';
import { isSameHost } from './location.ts';
import { headerOf, type Answer, type TransportRequest } from '../net/transport.ts';
import { tryJson } from '../io/try-json.ts';

/** A bearer token; times are of `performance.now()`. */
export interface Token {
  readonly value: Secret;
  readonly fetchedAt: number;
  readonly expiresAt: number;
}

/** Where tokens come from. @see distribution, docs/spec/auth/token.md */
export interface TokenService {
  readonly realm: URL;
  readonly service: string | undefined;
}

/** What a token is to allow, and for whom. */
export interface TokenNeed {
  readonly scopes: readonly string[];
  readonly credential: Credential;
}

/** Of a token service that says nothing. @see distribution, docs/spec/auth/token.md, "expires_in" */
const defaultLifeSeconds = 60;
/** A token that is given out has as much to live. @see distribution, docs/spec/auth/token.md, "expires_in" */
const leastLifeSeconds = 60;
/** Servers take headers of 8 to 64 KiB. */
const longestToken = 64 * 1024;
const clientName = 'regtar';

const documentSchema = v.object({
  token: v.optional(v.nullable(v.string())),
  access_token: v.optional(v.nullable(v.string())),
  expires_in: v.optional(v.nullable(v.number())),
  issued_at: v.optional(v.nullable(v.string())),
});

/**
 * Asks the token service for one token that covers all scopes: GET with a password or anonymously, OAuth2 POST for
 * identity tokens.
 * @param send one request with retries, for any status of its answer
 * @throws RegtarError AUTH_FAILED when it refuses the credential, AUTH_DENIED, AUTH_TOKEN when it is down or gives no
 * token
 */
export async function fetchToken(
  service: TokenService,
  need: TokenNeed,
  send: (request: TransportRequest) => Promise<Answer>,
): Promise<Token> {
  const fetchedAt = performance.now();
  const answer = await send(
    need.credential.kind === 'identity-token'
      ? postRequest(service, need.scopes, need.credential.token)
      : getRequest(service, need),
  );
  if (answer.status !== 200) throw refused(answer, service, need.credential);
  const parsed = v.safeParse(documentSchema, tryJson(answer.body));
  // Harbor sends an empty access_token beside the token.
  const value = parsed.success ? parsed.output.token || parsed.output.access_token : undefined;
  if (!parsed.success || !value)
    throw new RegtarError('AUTH_TOKEN', `the token service ${nameOf(service)} gave no token`, {
      hint: "check that this address is the registry's token service, not a login page",
    });
  if (value.length > longestToken || !/^[\x21-\x7e]+$/.test(value))
    throw new RegtarError('AUTH_TOKEN', `the token service ${nameOf(service)} gave a token that no request can show`, {
      hint: `a token is one word of at most ${longestToken} characters: look into the token service's log`,
    });
  const life = parsed.output.expires_in && parsed.output.expires_in > 0 ? parsed.output.expires_in : defaultLifeSeconds;
  return {
    value: new Secret(value),
    fetchedAt,
    expiresAt: fetchedAt + (life - ageSeconds(parsed.output.issued_at, answer, life)) * 1000,
  };
}

/** Whether a token has enough life for a request that begins now: 30 seconds, or a quarter of a short life. */
export function isFresh(token: Token, now = performance.now()): boolean {
  return token.expiresAt - now > Math.min(30_000, (token.expiresAt - token.fetchedAt) / 4);
}

const claimsSchema = v.object({
  access: v.array(v.object({ type: v.string(), name: v.string(), actions: v.array(v.string()) })),
});

/**
 * What a token allows, as far as it says so itself. Nothing is verified: that is the registry's part.
 * @param scope `repository:library/app:pull,push`, as it was asked for
 * @returns undefined where the token is opaque
 * @see distribution, docs/spec/auth/jwt.md
 */
export function grantedActions(token: Token, scope: string): ReadonlySet<string> | undefined {
  const payload = token.value.reveal().split('.')[1];
  const parsed = v.safeParse(claimsSchema, payload && tryJson(Buffer.from(payload, 'base64url')));
  if (!parsed.success) return undefined;
  const [type, name] = scope.split(':');
  return new Set(
    parsed.output.access.filter((each) => each.type === type && each.name === name).flatMap(({ actions }) => actions),
  );
}

/** A token service says no without a word where it cannot look anybody up: its database is away. */
export function isTokenOutage(answer: Pick<Answer, 'status' | 'body'>): boolean {
  return answer.status === 401 && answer.body.length === 0;
}

/** What is said of a token service that refuses a credential which it has taken before. */
export function tokenOutage(service: TokenService): RegtarError {
  return new RegtarError(
    'TARGET_UNAVAILABLE',
    `the token service ${nameOf(service)} refuses a login that worked before in this run, without saying why (401)`,
    {
      where: { url: nameOf(service), status: 401 },
      hint: 'look into its log, and at its database; then run the same command again: it continues where it stopped',
    },
  );
}

function getRequest(service: TokenService, { scopes, credential }: TokenNeed): TransportRequest {
  const url = new URL(service.realm);
  if (service.service !== undefined) url.searchParams.set('service', service.service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credential.kind !== 'basic') return { method: 'GET', url, headers: {} };
  return { method: 'GET', url, headers: { authorization: basicHeader(credential) } };
}

function postRequest(service: TokenService, scopes: readonly string[], identity: Secret): TransportRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: clientName,
    refresh_token: identity.reveal(),
  });
  if (service.service !== undefined) form.set('service', service.service);
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  return {
    method: 'POST',
    url: service.realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  };
}

/**
 * The token service that a registry's own challenge names. A password may go to another host over https; over http it
 * stays on the host that was named, or on this machine.
 * @throws RegtarError AUTH_TOKEN when the realm is not such an address
 */
export function tokenService(parameters: Readonly<Record<string, string>>, registry: URL): TokenService {
  const text = parameters['realm'] ?? '';
  const realm = text !== '' && URL.canParse(text, registry.href) ? new URL(text, registry) : undefined;
  if (!realm || !/^https?:$/.test(realm.protocol))
    throw new RegtarError(
      'AUTH_TOKEN',
      `${registry.host} names no usable token service (realm "${text.slice(0, 200)}")`,
    );
  // A proxy that ends TLS often leaves the scheme wrong.
  if (registry.protocol === 'https:' && isSameHost(realm, registry)) realm.protocol = 'https:';
  if (realm.protocol === 'http:' && !mayBeClear(realm, registry))
    throw new RegtarError(
      'AUTH_TOKEN',
      `${registry.origin} names a token service on plain http (${realm.origin}), to which no password is sent`,
      { hint: "correct the registry's external URL; a password would be readable on the way" },
    );
  return { realm, service: parameters['service'] || undefined };
}

function mayBeClear(realm: URL, registry: URL): boolean {
  if (registry.protocol === 'https:') return false;
  return realm.hostname === registry.hostname || (isLoopback(realm.host) && isLoopback(registry.host));
}

function ageSeconds(issuedAt: string | null | undefined, answer: Answer, life: number): number {
  // Both times are the server's, so that a wrong clock here does not matter.
  const age = (Date.parse(headerOf(answer, 'date') ?? '') - Date.parse(issuedAt ?? '')) / 1000;
  return Number.isNaN(age) ? 0 : Math.min(Math.max(age, 0), Math.max(life - leastLifeSeconds, 0));
}

function refused(answer: Answer, service: TokenService, credential: Credential): RegtarError {
  const words = redact(wordsOf(answer), secretsOf(credential));
  const said = words === '' ? `status ${answer.status}` : `${answer.status}: ${words}`;
  const where = { url: nameOf(service), status: answer.status };
  if (answer.status === 401 || (answer.status === 400 && credential.kind === 'identity-token')) {
    return credential.kind === 'anonymous'
      ? new RegtarError(
          'AUTH_FAILED',
          `the token service ${nameOf(service)} gives nothing to anonymous clients (${said})`,
          {
            where,
            hint: 'pass --username and --password-stdin, or `docker login` or `skopeo login` first',
          },
        )
      : new RegtarError(
          'AUTH_FAILED',
          `wrong ${credential.kind === 'basic' ? `password for user "${credential.username}"` : 'identity token'}, ` +
            `from ${credential.origin}: the token service ${nameOf(service)} refused it (${said})`,
          {
            where,
            hint:
              'check user and password, and whether the account is disabled or expired; a wrong password may lock it ' +
              'for a moment',
          },
        );
  }
  if (answer.status === 403)
    return new RegtarError('AUTH_DENIED', `the token service ${nameOf(service)} denies access (${said})`, {
      where,
      hint: "check the account's role",
    });
  return new RegtarError('AUTH_TOKEN', `the token service ${nameOf(service)} does not work (${said})`, {
    where,
    hint: "look into the token service's log",
  });
}

function nameOf(service: TokenService): string {
  return `${service.realm.origin}${service.realm.pathname}`;
}
