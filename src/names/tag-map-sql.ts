import type { Problem } from '../errors.ts';
import { isDigest } from '../oci/digest.ts';
import type { NumberedLine } from '../io/read-lines.ts';
import { readTableRows, type TableRow } from './sql-dump.ts';
import { invalidTagMap, type TagMapOptions, type TagMapRow } from './tag-map-row.ts';

const tables = ['repository', 'artifact', 'tag'] as const;

/**
 * A plain `pg_dump` of Harbor's database, or of its tables `repository`, `artifact` and `tag`. Only ids, names and
 * digests are kept.
 * @param problems gets tags whose artifact or repository is not in the dump
 * @see Harbor, make/migrations/postgresql: tag (repository_id, artifact_id, name), artifact (id, digest), repository
 * (repository_id, name)
 */
export async function* parseSqlTagMap(
  lines: AsyncIterable<NumberedLine>,
  options: TagMapOptions,
  problems: Problem[],
): AsyncGenerator<TagMapRow> {
  const repositories = new Map<string, string>();
  const artifacts = new Map<string, { readonly digest: string; readonly repository: string | undefined }>();
  const tags: {
    readonly repositoryId: string;
    readonly artifactId: string;
    readonly name: string;
    readonly line: number;
  }[] = [];
  const seen = new Set<string>();
  for await (const row of readTableRows(lines, new Set<string>(tables), (line, reason) =>
    invalidTagMap(options, line, reason),
  )) {
    seen.add(row.table);
    const field = fieldReader(row);
    if (row.table === 'repository') repositories.set(field('repository_id', 0), field('name', 1));
    else if (row.table === 'artifact')
      artifacts.set(field('id', 0), {
        digest: artifactDigest(row, field),
        repository: row.columns === undefined ? undefined : field('repository_name', -1) || undefined,
      });
    else
      tags.push({
        repositoryId: field('repository_id', 1),
        artifactId: field('artifact_id', 2),
        name: field('name', 3),
        line: row.line,
      });
  }
  const absent = tables.filter((table) => !seen.has(table));
  if (tags.length === 0 || artifacts.size === 0)
    throw invalidTagMap(options, 1, `the dump has no rows of ${absent.join(' and ')}`);
  for (const { repositoryId, artifactId, name, line } of tags) {
    const artifact = artifacts.get(artifactId);
    const repository = repositories.get(repositoryId) ?? artifact?.repository;
    if (artifact === undefined || repository === undefined) {
      problems.push({
        code: 'TAG_MAP_INVALID',
        path: options.describe,
        tag: name,
        message:
          `${options.describe}, line ${line}: tag ${name} belongs to ` +
          `${artifact === undefined ? `artifact ${artifactId}` : `repository ${repositoryId}`}, which is ` +
          'not in the dump',
      });
    } else yield { repository, tag: name, digest: artifact.digest, line };
  }
}

type FieldReader = (column: string, place: number) => string;

/** Columns by name where the dump names them, else by Harbor's own order. */
function fieldReader({ columns, values }: TableRow): FieldReader {
  return (column, place) => values[columns === undefined ? place : columns.indexOf(column)] ?? '';
}

/** The order of artifact's columns differs between versions of Harbor, a digest is known by its looks. */
function artifactDigest({ columns, values }: TableRow, field: FieldReader): string {
  return columns === undefined
    ? (values.find((value) => value !== undefined && isDigest(value)) ?? '')
    : field('digest', -1);
}
