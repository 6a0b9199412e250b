import type { Problem } from '../../errors.ts';
import type { StoragePath } from './layout.ts';

/** Members that belong to a storage and are not read, and trees beside each other: reported once, at the end. */
export interface OddMembers {
  note(path: StoragePath): void;
  /** Whether images of the registry before Distribution 2 were met. */
  readonly hasV1: boolean;
  problems(): readonly Problem[];
}

/** Nothing met yet. */
export function createOddMembers(): OddMembers {
  const roots = new Set<string>();
  let lastRoot: string | undefined;
  let hasV1 = false;
  let hasTarsum = false;
  return {
    get hasV1() {
      return hasV1;
    },
    note({ root, kind }) {
      if (root !== lastRoot) roots.add(root);
      lastRoot = root;
      if (kind === 'v1') hasV1 = true;
      else if (kind === 'tarsum') hasTarsum = true;
    },
    problems() {
      const found: Problem[] = [];
      if (hasV1)
        found.push({
          code: 'STORAGE_V1',
          message:
            'this backup has images of a registry older than Distribution 2 (images/<id>/…), which cannot be read',
        });
      if (hasTarsum)
        found.push({
          code: 'STORAGE_TARSUM',
          message:
            'this backup has layers by tarsum (_layers/tarsum, older than Distribution 2.1), which cannot be read',
        });
      if (roots.size > 1)
        found.push({
          code: 'SOURCE_ROOTS',
          message:
            `the backup holds ${roots.size} registry trees, which are read as one: ` +
            `${[...roots].map((root) => root || '.').join(', ')}`,
        });
      return found;
    },
  };
}

/** A member whose path leads out of its folder. */
export function climbingMember(path: string): Problem {
  return {
    code: 'PATH_INVALID',
    path,
    message: `"${path.slice(0, 200)}" climbs out of its folder; skipped`,
  };
}

/** A member in the place of a storage's own, with a name that no registry gives. */
export function invalidMember({ part, text }: Extract<StoragePath, { kind: 'invalid' }>, path: string): Problem {
  const code = part === 'repository' ? 'REPOSITORY_INVALID' : part === 'tag' ? 'TAG_INVALID' : 'DIGEST_INVALID';
  return { code, path, message: `"${text.slice(0, 200)}" is not a valid ${part}; skipped` };
}
