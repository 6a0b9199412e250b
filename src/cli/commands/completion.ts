import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { bashCompletion } from '../help/completion/bash.ts';
import { fishCompletion } from '../help/completion/fish.ts';
import { completionModel, type CompletedCommand } from '../help/completion/model.ts';
import { zshCompletion } from '../help/completion/zsh.ts';

/** Shells that there are completions for. */
export type Shell = 'bash' | 'zsh' | 'fish';

const writers: Readonly<Record<Shell, (model: readonly CompletedCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `regtar completion SHELL` */
export async function completion(shell: Shell, program: Command, context: Context): Promise<number> {
  context.output.line(writers[shell](completionModel(program)).trimEnd());
  return Promise.resolve(0);
}
