import type { Command, CommanderError } from 'commander';
import { existsSync } from 'node:fs';
import { RegtarError } from '../errors.ts';
import { habitualCommand } from './habits.ts';

/** What the parser has to say, in the form of every other error: the nearest name becomes the hint. */
export function toUsageError(error: CommanderError, argv: readonly string[], program: Command): RegtarError {
  if (error.code === 'commander.help') return missingCommand(argv, program);
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const habit = error.code === 'commander.unknownCommand' ? habitualCommand(argv[0] ?? '') : undefined;
  if (habit !== undefined)
    return new RegtarError('USAGE', `there is no command ${argv[0] ?? ''}`, { hint: `write ${habit}` });
  const suggestion = /^\(Did you mean (one of )?(.+)\?\)$/.exec(more.join(' '))?.[2];
  return new RegtarError('USAGE', first.replace(/\.$/, ''), {
    hint: suggestion === undefined ? hintFor(error, argv, program) : `did you mean ${suggestion}?`,
  });
}

/** A command that only holds others was given alone. */
function missingCommand(argv: readonly string[], program: Command): RegtarError {
  const name = argv.find((argument) => !argument.startsWith('-')) ?? '';
  const inner =
    program.commands
      .find((command) => command.name() === name)
      ?.commands.map((command) => `\`regtar ${name} ${command.name()}\``) ?? [];
  return new RegtarError('USAGE', `${name} is not complete`, { hint: `there is ${inner.join(', ')}` });
}

function hintFor(error: CommanderError, argv: readonly string[], program: Command): string {
  const word = argv.find((argument) => !argument.startsWith('-')) ?? '';
  const command = program.commands.find((candidate) => candidate.name() === word);
  if (command !== undefined) return `run \`regtar ${word} --help\``;
  if (error.code === 'commander.unknownCommand' && existsSync(word))
    return `a command comes first, such as \`regtar inspect ${word}\``;
  return 'run `regtar --help`';
}
