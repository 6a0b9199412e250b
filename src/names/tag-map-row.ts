import { RegtarError } from '../errors.ts';

/** How a tag map is read. */
export interface TagMapOptions {
  /** For messages: the file's name. */
  readonly describe: string;
  /** What artifacts belong to that do not say it themselves. */
  readonly repository?: string | undefined;
}

/** One row before it is checked; `line` counts from 1. */
export interface TagMapRow {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly line: number;
  /** When Harbor recorded it as a signature, in its own form; absent for tags that a list names itself. */
  readonly signedAt?: string | undefined;
}

/** @param line counts from 1 */
export function invalidTagMap(options: TagMapOptions, line: number, reason: string, cause?: unknown): RegtarError {
  return new RegtarError('TAG_MAP_INVALID', `${options.describe}, line ${line}: ${reason}`, {
    where: { path: options.describe },
    cause,
    hint:
      "a tag map is CSV (repository,tag,digest), the JSON of Harbor's artifact lists, or a plain pg_dump of " +
      'its tables repository, artifact and tag',
  });
}
