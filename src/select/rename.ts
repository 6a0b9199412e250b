import { RegtarError } from '../errors.ts';
import { isRepository } from '../oci/reference.ts';

/** How repositories are renamed on their way. */
export interface NameOptions {
  /**
   * `FROM=TO` pairs; the first whose FROM matches the whole repository wins. `*` captures within a component, `**`
   * across.
   */
  readonly maps?: readonly string[] | undefined;
  /** Put before repositories of one component. */
  readonly project?: string | undefined;
  /** Put before every repository. */
  readonly prefix?: string | undefined;
}

/** What a repository is called in the target. */
export type RenameRepository = (repository: string) => string;

/**
 * @throws RegtarError MAP_INVALID when a pair is malformed; the returned function throws it when a result is not
 * a repository name
 */
export function createRenamer(options: NameOptions): RenameRepository {
  const maps = (options.maps ?? []).map(parseMap);
  return (repository) => {
    const mapped = applyMaps(maps, repository);
    const projected = options.project !== undefined && !mapped.includes('/') ? `${options.project}/${mapped}` : mapped;
    const name = options.prefix ? `${options.prefix}/${projected}` : projected;
    if (!isRepository(name)) {
      throw new RegtarError('MAP_INVALID', `${repository} would become "${name}", which is not a repository name`, {
        where: { repository },
        hint:
          'names are lower-case components separated by /, 255 characters at most: see --map, --project ' +
          'and --prefix',
      });
    }
    return name;
  };
}

interface NameMap {
  readonly pattern: RegExp;
  readonly to: string;
}

function parseMap(text: string): NameMap {
  const [from, to, ...rest] = text.split('=');
  if (!from || !to || rest.length > 0)
    throw new RegtarError('MAP_INVALID', `"${text}" is not a map`, {
      hint: "maps look like 'old/*=new/*'",
    });
  const fromStars = from.match(/\*+/g)?.length ?? 0;
  const toStars = to.match(/\*+/g)?.length ?? 0;
  if (toStars > fromStars)
    throw new RegtarError('MAP_INVALID', `"${text}" uses more stars on the right than it captures on the left`, {
      hint: "maps look like 'old/*=new/*'",
    });
  const pattern = from
    .split(/(\*+)/)
    .map((part) =>
      part === ''
        ? ''
        : part[0] !== '*'
          ? part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
          : part.length > 1
            ? '(.*)'
            : '([^/]*)',
    );
  return { pattern: new RegExp(`^${pattern.join('')}$`), to };
}

/** Whether a map has something to say of a repository. @throws RegtarError MAP_INVALID when the map is malformed */
export function mapMatches(map: string): (repository: string) => boolean {
  const { pattern } = parseMap(map);
  return (repository) => pattern.test(repository);
}

function applyMaps(maps: readonly NameMap[], repository: string): string {
  for (const { pattern, to } of maps) {
    const captured = pattern.exec(repository)?.slice(1);
    if (captured !== undefined) return to.replace(/\*+/g, () => captured.shift() ?? '');
  }
  return repository;
}
