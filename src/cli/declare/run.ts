import type { Command } from 'commander';
import type { Context } from '../context.ts';

/** What every command understands. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly progress?: boolean;
  readonly events?: 'jsonl';
}

/** Turns options into a context, runs the command with it and keeps its exit code. */
export type Run = (options: GlobalOptions, action: (context: Context) => Promise<number>) => Promise<void>;

/** Adds one command to the program. What it runs is imported when it runs. */
export type Declare = (program: Command, run: Run) => void;

/** Operands as they were given, without the missing ones. */
export function present(...operands: (string | undefined)[]): string[] {
  return operands.filter((operand) => operand !== undefined);
}
