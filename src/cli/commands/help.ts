import type { Command } from 'commander';
import { RegtarError, type ErrorCode } from '../../errors.ts';
import type { Context } from '../context.ts';
import { errorHelp } from '../help/error-codes.ts';
import { topics } from '../help/topics.ts';
import { nearest } from '../../select/nearest.ts';

/**
 * `regtar help`, `regtar help COMMAND|TOPIC|CODE` and `regtar help --man`.
 * @throws RegtarError USAGE for a word that is none of them
 */
export async function help(
  subject: readonly string[],
  options: { readonly man?: boolean },
  program: Command,
  context: Context,
): Promise<number> {
  const command = findCommand(program, subject);
  if (options.man === true)
    context.output.line((await import('../help/manual.ts')).formatManual(program, context.version).trimEnd());
  // `config` is a command and a topic: the topic says what the command's options cannot.
  else if (command === undefined || (subject.length === 1 && isTopic(subject[0] ?? '')))
    context.output.line(explain(subject, program));
  // Only this way is the text after the options printed, too.
  else command.outputHelp();
  return 0;
}

function explain(subject: readonly string[], program: Command): string {
  const [word = ''] = subject;
  if (isTopic(word)) return topics[word].text.trim();
  const code = word.toUpperCase();
  if (isErrorCode(code)) return explainCode(code, program);
  const close =
    nearest(word, [...program.commands.map((candidate) => candidate.name()), ...Object.keys(topics)]) ??
    nearest(code, Object.keys(errorHelp));
  throw new RegtarError('USAGE', `there is no help about ${subject.join(' ')}`, {
    hint: close === undefined ? 'run `regtar help` to see all commands and topics' : `did you mean ${close}?`,
  });
}

function findCommand(program: Command, names: readonly string[]): Command | undefined {
  return names.reduce<Command | undefined>(
    (parent, name) => parent?.commands.find((candidate) => candidate.name() === name),
    program,
  );
}

function explainCode(code: ErrorCode, program: Command): string {
  const { cause, remedy } = errorHelp[code];
  return program.createHelp().boxWrap(`${code}\n\n${cause}\n\nWhat to do: ${remedy}`, 80);
}

function isTopic(word: string): word is keyof typeof topics {
  return Object.hasOwn(topics, word);
}

function isErrorCode(word: string): word is ErrorCode {
  return Object.hasOwn(errorHelp, word);
}
