import { homedir } from 'node:os';

/**
 * The home folder of the user who runs this. A container may run under a number that no passwd file knows, without
 * HOME:
 * then there is none, and files that would lie in it are simply not there.
 */
export function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return home === '' ? undefined : home;
  } catch {
    return undefined;
  }
}
