import { isOutOfFiles, RegtarError, systemErrorCode, type ErrorCode, tooManyFiles } from '../errors.ts';

/**
 * Runs a step that touches the output, and names what the system says of it.
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE, OUTPUT_NAME, OUTPUT_COLLISION
 */
export function onOutput<Result>(path: string, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    throw outputError(error, path);
  }
}

/** A system error of the output as a RegtarError; what is none already has a name and stays as it is. */
export function outputError(error: unknown, path: string): unknown {
  const system = systemErrorCode(error);
  if (system === undefined || error instanceof RegtarError) return error;
  if (isOutOfFiles(error)) return tooManyFiles(error);
  const { code, reason, hint } = meaningOf(system);
  return new RegtarError(code, `${path} cannot be written: ${reason}`, {
    side: 'target',
    where: { path },
    cause: error,
    hint,
  });
}

interface Meaning {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string;
}

function meaningOf(system: string): Meaning {
  const again = 'then run the same command again: it continues where it stopped';
  switch (system) {
    case 'ENOSPC':
      return { code: 'OUTPUT_FULL', reason: 'the disk is full', hint: `make room (blocks or inodes), ${again}` };
    case 'EDQUOT':
      return { code: 'OUTPUT_FULL', reason: 'the disk quota is used up', hint: `raise the quota, ${again}` };
    case 'EFBIG':
      return {
        code: 'OUTPUT_FULL',
        reason: 'the file would be larger than the file system or `ulimit -f` allows',
        hint: 'choose another file system, or another format: --split makes smaller archives',
      };
    case 'EROFS':
      return { code: 'OUTPUT_UNWRITABLE', reason: 'the file system is read-only', hint: 'choose another OUT' };
    case 'EACCES':
    case 'EPERM':
      return {
        code: 'OUTPUT_UNWRITABLE',
        reason: 'permission denied',
        hint: 'choose another OUT, or an account that may write there',
      };
    case 'ENOENT':
      return {
        code: 'OUTPUT_UNWRITABLE',
        reason: 'its folder is gone',
        hint: `see whether the disk is still mounted, ${again}`,
      };
    case 'EPIPE':
      return {
        code: 'OUTPUT_UNWRITABLE',
        reason: 'its reader has stopped',
        hint: 'see what the reading command said',
      };
    case 'ENAMETOOLONG':
    case 'EILSEQ':
    case 'EINVAL':
      return {
        code: 'OUTPUT_NAME',
        reason: 'this file system does not take the name',
        hint: 'use --path-style safe, --map for a shorter name, or another file system',
      };
    case 'EISDIR':
    case 'ENOTDIR':
    case 'EEXIST':
    case 'ENOTEMPTY':
      return {
        code: 'OUTPUT_COLLISION',
        reason: 'a file and a folder would have the same name there',
        hint: 'use --map to rename a repository, or choose another OUT',
      };
    case 'EIO':
    case 'ENODEV':
    case 'ENXIO':
    case 'ESTALE':
      return {
        code: 'OUTPUT_UNWRITABLE',
        reason: `the disk does not answer (${system})`,
        hint: `see whether it is still there and mounted, ${again}`,
      };
    default:
      return { code: 'OUTPUT_UNWRITABLE', reason: system, hint: `look at the disk, ${again}` };
  }
}
