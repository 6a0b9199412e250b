import { RegtarError } from '../errors.ts';
import { projectOf } from '../harbor/name-rules.ts';
import type { Registry } from '../remote/registry.ts';
import { withOwnCredential } from './credentials.ts';

/** Which projects have turned out to be full, or closed to this account. */
export interface Room {
  /**
   * @throws RegtarError QUOTA_EXCEEDED, the same for all images of a project that is full; AUTH_DENIED, where it has
   * said no again and again
   */
  check(repository: string): void;
  /** Does what may need room. @throws the same */
  watch<Result>(repository: string, work: () => Promise<Result>): Promise<Result>;
  /** An image has been taken: the account may push there. */
  took(repository: string): void;
}

/**
 * Refusals in a row after which a project is not asked again: the account has lost its right, or is disabled, and each
 * further login may cost seconds.
 */
const mostDenials = 3;

/** @param hasProjects false where room and rights are not counted by project: then every refusal is its own */
export function createRoom(registry: Registry, hasProjects: boolean): Room {
  const full = new Map<string, RegtarError>();
  const denials = new Map<string, number>();
  const check = (repository: string): void => {
    const error = full.get(projectOf(repository));
    if (error !== undefined) throw error;
  };
  const deny = (project: string, error: RegtarError): void => {
    const count = (denials.get(project) ?? 0) + 1;
    denials.set(project, count);
    if (count === mostDenials) full.set(project, projectClosed(registry, project, error));
  };
  return {
    check,
    async watch(repository, work) {
      if (!hasProjects) return withOwnCredential(registry, work);
      check(repository);
      try {
        return await withOwnCredential(registry, work);
      } catch (error) {
        if (!(error instanceof RegtarError)) throw error;
        const project = projectOf(repository);
        if (error.code === 'AUTH_DENIED') deny(project, error);
        if (error.code !== 'QUOTA_EXCEEDED') throw error;
        const first = full.get(project) ?? projectFull(registry, project, error);
        full.set(project, first);
        throw first;
      }
    },
    took: (repository) => void denials.delete(projectOf(repository)),
  };
}

function projectClosed({ host }: Registry, project: string, error: RegtarError): RegtarError {
  return new RegtarError(
    'AUTH_DENIED',
    `project ${project} of ${host} is not tried any more, it has refused ${mostDenials} times: ${error.message}`,
    { hint: error.hint, where: { status: error.where.status }, cause: error },
  );
}

function projectFull({ host }: Registry, project: string, error: RegtarError): RegtarError {
  return new RegtarError('QUOTA_EXCEEDED', `project ${project} of ${host} is full: ${error.message}`, {
    hint: error.hint,
    where: { status: error.where.status },
    cause: error,
  });
}
