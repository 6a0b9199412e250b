import { RegtarError } from '../errors.ts';
import { projectOf } from '../harbor/name-rules.ts';
import type { Registry } from '../remote/registry.ts';
import { withOwnCredential } from './credentials.ts';

/** Which projects have turned out to be full. */
export interface Room {
  /** @throws RegtarError QUOTA_EXCEEDED, the same for all images of a project that is full */
  check(repository: string): void;
  /** Does what may need room. @throws the same */
  watch<Result>(repository: string, work: () => Promise<Result>): Promise<Result>;
}

/** @param hasProjects false where room is not counted by project: then every refusal is its own */
export function createRoom(registry: Registry, hasProjects: boolean): Room {
  const full = new Map<string, RegtarError>();
  const check = (repository: string): void => {
    const error = full.get(projectOf(repository));
    if (error !== undefined) throw error;
  };
  return {
    check,
    async watch(repository, work) {
      if (!hasProjects) return withOwnCredential(registry, work);
      check(repository);
      try {
        return await withOwnCredential(registry, work);
      } catch (error) {
        if (!(error instanceof RegtarError) || error.code !== 'QUOTA_EXCEEDED') throw error;
        const project = projectOf(repository);
        const first = full.get(project) ?? projectFull(registry, project, error);
        full.set(project, first);
        throw first;
      }
    },
  };
}

function projectFull({ host }: Registry, project: string, error: RegtarError): RegtarError {
  return new RegtarError('QUOTA_EXCEEDED', `project ${project} of ${host} is full: ${error.message}`, {
    hint: error.hint,
    where: { status: error.where.status },
    cause: error,
  });
}
