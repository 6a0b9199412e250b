import { linkSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { systemErrorCode } from '../errors.ts';
import { outputError } from './output-error.ts';
import { giveName } from './write-file.ts';

/** What file systems answer that have no hard links, or no more of them. */
const linkRefusals: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Gives a finished file its name where none has it. A rename would replace what another process has put there in this
 * very moment; a link refuses. Where there are no links it is renamed.
 * @returns false when something is there; the finished file is removed then
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function moveUnlessThere(temporary: string, final: string): boolean {
  try {
    linkSync(temporary, final);
    unlinkSync(temporary);
    return true;
  } catch (error) {
    const system = systemErrorCode(error) ?? '';
    if (system === 'EEXIST' || statSync(final, { throwIfNoEntry: false })?.isFile() === true) {
      rmSync(temporary, { force: true });
      return false;
    }
    if (!linkRefusals.has(system)) throw outputError(error, final);
    giveName(temporary, final);
    return true;
  }
}
