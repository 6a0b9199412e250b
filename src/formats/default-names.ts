import { RegtarError } from '../errors.ts';
import { isRepository } from '../oci/reference.ts';
import { defaultTag, dropRegistry, repositoryOfFile } from './image-names.ts';
import type { SourceFolder } from './source-files.ts';

/** What names of images tell: tags; nothing of the only image, which is `latest` then; nothing of several. */
export type NamesHave = 'tags' | 'nothing' | 'digests';

/** Repositories for images whose own names do not tell them. */
export interface DefaultNames {
  /**
   * @param base where the image lies in SOURCE: `''` or a path that ends in `/`
   * @throws RegtarError SOURCE_NAMES_MISSING where no name is given
   */
  repository(source: SourceFolder, base: string, has: NamesHave): string;
  /** What a person should know of names that were taken from files. */
  notes(): readonly string[];
}

/**
 * `--repository` decides; else a path in SOURCE is the repository, as in a tree of layouts; else the name of SOURCE is
 * made one, and a note says so.
 * @param wanted `--repository`
 * @param count how many layouts or folders share it: where there are several, their paths follow it
 */
export function createDefaultNames(wanted: string | undefined, count: number): DefaultNames {
  const made = new Map<string, { readonly name: string; readonly has: NamesHave }>();
  if (wanted !== undefined && !isRepository(wanted))
    throw new RegtarError('USAGE', `--repository ${wanted} is not a valid repository name`, {
      hint: 'write it in small letters, such as team/app, without a registry and without a tag',
    });
  return {
    repository(source, base, has) {
      const path = repositoryOfPath(base);
      if (wanted !== undefined) return count > 1 && path !== undefined ? `${wanted}/${path}` : wanted;
      if (path !== undefined) return path;
      const name = source.isStream ? undefined : repositoryOfFile(source.describe);
      if (name === undefined) throw missing(source.describe, has);
      made.set(source.describe, { name, has });
      return name;
    },
    notes: () =>
      [...made].map(
        ([describe, { name, has }]) => `${noteOf(describe, name, has)}; --repository names another repository`,
      ),
  };
}

function noteOf(describe: string, name: string, has: NamesHave): string {
  if (has === 'tags') return `${describe} names tags only: its images are read as ${name}:TAG`;
  return has === 'nothing'
    ? `${describe} does not name its image: it is read as ${name}:${defaultTag}`
    : `${describe} does not name its images: they are read as ${name}@DIGEST, without tags`;
}

function repositoryOfPath(base: string): string | undefined {
  const path = dropRegistry(base.replace(/\/+$/, ''));
  return isRepository(path) ? path : undefined;
}

function missing(describe: string, has: NamesHave): RegtarError {
  const what = has === 'tags' ? 'names tags only' : 'names no images';
  return new RegtarError('SOURCE_NAMES_MISSING', `${describe} ${what}, and nothing else names a repository`, {
    where: { path: describe },
    hint: 'say it with --repository, such as --repository team/app',
  });
}
