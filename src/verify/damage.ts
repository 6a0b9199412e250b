import type { ErrorCode, Problem } from '../errors.ts';

/** What a person should know, and what harms no image: deleted on purpose, two trees in one archive, formats that some targets refuse. */
const notes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SCHEMA1',
  'FOREIGN_LAYER',
  'SOURCE_ROOTS',
  'TAG_REVISION_MISSING',
  'TAG_CONFLICT',
  'STORAGE_V1',
  'STORAGE_TARSUM',
  'INDEX_STALE',
]);

/** Whether a problem makes `regtar verify` end with 4. */
export function isDamage(problem: Problem): boolean {
  return !notes.has(problem.code);
}
