import { RegtarError } from '../errors.ts';
import { forEachParallel } from '../io/parallel.ts';
import type { Credential } from '../remote/credential.ts';
import type { Registry } from '../remote/registry.ts';
import type { RemoteImage } from './presence.ts';

/**
 * Proves every credential that images of a push have by their path, each once: one that is wrong or absent fails its
 * own images alone. Nothing is asked where the whole registry has one.
 * @returns why images cannot be pushed by theirs
 */
export async function refuseCredentials<Image extends RemoteImage>(
  registry: Registry,
  images: readonly Image[],
  { jobs, signal }: { readonly jobs: number; readonly signal: AbortSignal },
): Promise<ReadonlyMap<Image, RegtarError>> {
  const refused = new Map<Image, RegtarError>();
  if (!(await registry.hasPathCredentials())) return refused;
  const byCredential = new Map<Credential, Image[]>();
  for (const image of images) {
    const credential = await registry.credentialFor(image.target.repository);
    const group = byCredential.get(credential);
    if (group === undefined) byCredential.set(credential, [image]);
    else group.push(image);
  }
  await forEachParallel([...byCredential], jobs, async ([credential, ofCredential]) => {
    const [first] = ofCredential;
    if (first === undefined) return;
    const { repository } = first.target;
    const error =
      credential.kind === 'anonymous'
        ? await refuseNobody(registry, repository)
        : await registry.login(signal, repository).then(() => undefined, authFailure);
    if (error !== undefined) for (const image of ofCredential) refused.set(image, error);
  });
  return refused;
}

/**
 * Does something with a credential that may be one of several: where it is refused, the others go on.
 * @throws RegtarError AUTH_DENIED, which ends one repository, in place of AUTH_FAILED, which ends the run
 */
export async function withOwnCredential<Result>(registry: Registry, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RegtarError) || error.code !== 'AUTH_FAILED' || !(await registry.hasPathCredentials()))
      throw error;
    throw new RegtarError('AUTH_DENIED', error.message, { hint: error.hint, where: error.where, cause: error });
  }
}

/** An image without a credential may still go where anonymous pushes are allowed. */
async function refuseNobody(registry: Registry, repository: string): Promise<RegtarError | undefined> {
  const { authentication } = await registry.ping();
  if (authentication === 'none') return undefined;
  const granted =
    authentication === 'basic'
      ? new Set()
      : await registry.granted(repository).catch((error: unknown) => {
          authFailure(error);
          return new Set<string>();
        });
  if (granted === undefined || granted.has('push')) return undefined;
  return new RegtarError('AUTH_FAILED', `there is no credential for ${repository} of ${registry.host}`, {
    where: { repository },
    hint:
      `give ${registry.host} or this path of it a key in the file of --authfile, or pass --username and ` +
      '--password-stdin',
  });
}

/** @throws what is not a failure of the credential */
function authFailure(error: unknown): RegtarError {
  if (error instanceof RegtarError && error.code === 'AUTH_FAILED') return error;
  throw error;
}
