import type { Context } from '../context.ts';

/** What is shown, and on what. */
export interface View {
  /** What SOURCE is called. */
  readonly describe: string;
  /** Shows every row. */
  readonly verbose: boolean;
  /** The width of the terminal; undefined where the text goes elsewhere. */
  readonly columns: number | undefined;
}

/** How a SOURCE is shown by a command. */
export function viewOf(describe: string, { verbose, output }: Pick<Context, 'verbose' | 'output'>): View {
  return { describe, verbose, columns: output.columns };
}
