import { RegtarError } from '../errors.ts';
import { isAtLeast, recogniseHarbor, type Harbor } from '../harbor/recognise-harbor.ts';
import type { SinkTraits } from '../content/contracts.ts';
import type { Registry } from '../remote/registry.ts';
import { remoteTraits } from './sink.ts';

/** A registry that has let us in, and what it is. */
export interface PushLogin {
  /** undefined for every other registry. */
  readonly harbor: Harbor | undefined;
  /** What a plan for this registry may hold. */
  readonly traits: SinkTraits;
}

/** How a registry is met. */
export interface LogInOptions {
  /** Images under way at once. @defaultValue 8 */
  readonly jobs?: number | undefined;
  /** Whether a Harbor is treated as one. @defaultValue true */
  readonly harbor?: boolean | undefined;
  /**
   * Where in the registry everything goes, `team/sub`: its credential is the one that is proven.
   * @defaultValue the registry's own
   */
  readonly path?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Eight at once is where a registry on two cores stops getting faster. */
export const defaultPushJobs = 8;

/**
 * Proves the credential and learns what the registry is. Nothing of the backup is needed for it, so that a mistyped
 * password does not cost the scan of a terabyte.
 * @throws RegtarError TARGET_UNREACHABLE, TARGET_TLS, AUTH_FAILED, …
 */
export async function logIn(
  registry: Registry,
  { jobs = defaultPushJobs, harbor: isAsked = true, path, signal }: LogInOptions = {},
): Promise<PushLogin> {
  await registry.ping(signal);
  const repository = path === '' ? undefined : path;
  const credential = await registry.login(signal, repository);
  const harbor = isAsked ? await recogniseHarbor(registry, credential, { repository, signal }) : undefined;
  // Projects may have robots of their own; each is proven when its project is looked at.
  if (harbor !== undefined && credential.kind === 'anonymous' && !(await registry.hasPathCredentials()))
    throw new RegtarError('AUTH_FAILED', `${registry.host} is a Harbor, which takes pushes from known accounts only`, {
      hint: 'pass --username and --password-stdin, or `docker login` or `skopeo login` first',
    });
  const schema1 = harbor !== undefined && isAtLeast(harbor, 2, 15) === false;
  return { harbor, traits: remoteTraits({ jobs, schema1 }) };
}
