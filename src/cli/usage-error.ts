import type { Command, CommanderError } from 'commander';
import { existsSync } from 'node:fs';
import { RegtarError } from '../errors.ts';

/** What the parser has to say, in the form of every other error: the nearest name becomes the hint. */
export function toUsageError(error: CommanderError, argv: readonly string[], program: Command): RegtarError {
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = /^\(Did you mean (one of )?(.+)\?\)$/.exec(more.join(' '))?.[2];
  return new RegtarError('USAGE', first.replace(/\.$/, ''), { side: 'usage', hint: suggestion === undefined ? hintFor(error, argv, program) : `did you mean ${suggestion}?` });
}

function hintFor(error: CommanderError, argv: readonly string[], program: Command): string {
  const word = argv.find((argument) => !argument.startsWith('-')) ?? '';
  const command = program.commands.find((candidate) => candidate.name() === word);
  if (command !== undefined) return `run \`regtar ${word} --help\``;
  if (error.code === 'commander.unknownCommand' && existsSync(word)) return `a command comes first, such as \`regtar inspect ${word}\``;
  return 'run `regtar --help`';
}
