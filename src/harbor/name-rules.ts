import { RegtarError } from '../errors.ts';

/** Harbor stores `project/repository` in a column of this many characters. */
const longestRepository = 245;
const projectPattern = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

/** The first component of a repository, which is its project. */
export function projectOf(repository: string): string {
  const slash = repository.indexOf('/');
  return slash < 0 ? '' : repository.slice(0, slash);
}

/**
 * Why Harbor cannot hold a repository of this name, or undefined. Project names are narrower than a registry's
 * components: one separator at a time.
 * @param repository a valid repository name
 */
export function refuseName(repository: string): RegtarError | undefined {
  const where = { repository };
  const project = projectOf(repository);
  if (project === '')
    return new RegtarError('PROJECT_NEEDED', `${repository} has no project: in Harbor every repository is in one`, {
      where,
      hint: "say which: --project library, or --map 'FROM=PROJECT/TO'",
    });
  if (!projectPattern.test(project))
    return new RegtarError(
      'PROJECT_INVALID',
      `"${project}" in ${repository} cannot be the name of a Harbor project: it may have only one . _ or - ` +
        'between letters and digits',
      {
        where,
        hint: `rename it, such as with --map '${project}/**=${project.replace(/([._-])[._-]+/g, '$1')}/**'`,
      },
    );
  if (repository.length > longestRepository)
    return new RegtarError(
      'REPOSITORY_INVALID',
      `${repository.slice(0, 60)}… has ${repository.length} characters; Harbor takes ${longestRepository}`,
      { where, hint: 'shorten it with --map' },
    );
  // Harbor's router takes such a path for one of a manifest.
  if (/\/manifests$/.test(repository))
    return new RegtarError(
      'REPOSITORY_INVALID',
      `${repository} ends like one of the registry API's own paths, so Harbor cannot serve it`,
      { where, hint: 'rename it with --map' },
    );
  return undefined;
}
