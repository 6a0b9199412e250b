import type { ErrorCode } from '../../../src/errors.ts';
import type { RunResult } from '../../support/run.ts';
import type { TemporaryFolder } from '../../support/temporary-folder.ts';

/** One code, and a way to it through the program. */
export interface ErrorCase {
  readonly code: ErrorCode;
  /** What the person did or met. */
  readonly title: string;
  /** @param folder empty, for this case alone */
  readonly provoke: (folder: TemporaryFolder) => Promise<RunResult>;
  readonly exit: number;
  /** Found in the line behind the code. */
  readonly says: RegExp;
  /** Found in the hint. */
  readonly hint: RegExp;
}

/** One code that says what is wrong with a backup without stopping anything. */
export interface ProblemCase {
  readonly code: ErrorCode;
  readonly title: string;
  /** Makes the backup. @returns its path */
  readonly make: (folder: TemporaryFolder) => string | Promise<string>;
  readonly args?: (folder: TemporaryFolder) => readonly string[];
  readonly says: RegExp;
}
