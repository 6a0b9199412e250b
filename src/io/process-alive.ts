import { systemErrorCode } from '../errors.ts';

/** Whether a process of this machine runs, another user's included. Its number may belong to a later one. */
export function isProcessAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // The process of another user may not be signalled.
    return systemErrorCode(error) === 'EPERM';
  }
}
