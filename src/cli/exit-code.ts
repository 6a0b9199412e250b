import type { RegtarError } from '../errors.ts';

/** The exit code of a command that threw: 130 interrupted, 2 wrong use, 1 anything else. */
export function exitCodeOf(error: RegtarError): number {
  if (error.code === 'INTERRUPTED') return 130;
  return error.side === 'usage' ? 2 : 1;
}
