import type { Output } from './output.ts';
import type { EventWriter } from './progress/event-writer.ts';

/** What every command gets from the outside world; the library below never sees it. */
export interface Context {
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly version: string;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly json: boolean;
  /** Whether a bar or lines of progress are wanted on standard error. */
  readonly progress: boolean;
  /** What happens, for a wrapper: where there is one, nothing else goes to standard error. */
  readonly events?: EventWriter | undefined;
}
