import { Secret } from '../net/secret.ts';

/** What proves who is asking. */
export type Credential = {
  /** Where it was found, for messages: `--username`, a file's path, a helper's name. */
  readonly origin: string;
} & (
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: Secret }
  /** An OAuth2 refresh token; the token service makes bearer tokens of it. */
  | { readonly kind: 'identity-token'; readonly token: Secret }
  /** A bearer token that is used as it is. */
  | { readonly kind: 'registry-token'; readonly token: Secret }
);

/**
 * Finds the credential for a repository, which may differ by path; without one, that of the whole registry. Always the
 * same object for the same credential.
 */
export interface CredentialSource {
  (repository?: string): Promise<Credential>;
  /** Whether some paths of the registry have credentials of their own. @defaultValue none has */
  readonly hasPaths?: (() => Promise<boolean>) | undefined;
}

/** No account in particular. */
export const anonymous: Credential = { kind: 'anonymous', origin: 'anonymous' };
const anonymousSource: CredentialSource = () => Promise.resolve(anonymous);

/** No credential for anything. */
export function anonymousCredentials(): CredentialSource {
  return anonymousSource;
}

/** Everything of a credential that must not appear in a message, in the forms in which it is sent. */
export function secretsOf(credential: Credential): readonly Secret[] {
  switch (credential.kind) {
    case 'anonymous':
      return [];
    case 'basic':
      return [credential.password, new Secret(basicHeader(credential).slice('Basic '.length))];
    case 'identity-token':
    case 'registry-token':
      return [credential.token];
  }
}

/** @see RFC 7617 */
export function basicHeader(credential: { readonly username: string; readonly password: Secret }): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password.reveal()}`).toString('base64')}`;
}
