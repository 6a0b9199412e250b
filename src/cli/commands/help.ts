import type { Command } from 'commander';
import { RegtarError, type ErrorCode } from '../../errors.ts';
import type { Context } from '../context.ts';
import { errorHelp } from '../help/error-codes.ts';
import { topics } from '../help/topics.ts';
import { nearest } from '../nearest.ts';

/**
 * `regtar help`, and `regtar help COMMAND|TOPIC|CODE`.
 * @throws RegtarError USAGE for a word that is none of them
 */
export async function help(subject: readonly string[], program: Command, context: Context): Promise<number> {
  context.output.line(explain(subject, program));
  return Promise.resolve(0);
}

function explain(subject: readonly string[], program: Command): string {
  const [word] = subject;
  if (word === undefined) return `${program.helpInformation().trimEnd()}\n\n${listTopics()}`;
  const command = findCommand(program, subject);
  if (command !== undefined) return command.helpInformation().trimEnd();
  if (isTopic(word)) return topics[word].text.trim();
  const code = word.toUpperCase();
  if (isErrorCode(code)) return explainCode(code, program);
  const close = nearest(word, [...program.commands.map((candidate) => candidate.name()), ...Object.keys(topics)]) ?? nearest(code, Object.keys(errorHelp));
  throw new RegtarError('USAGE', `there is no help about ${subject.join(' ')}`, { side: 'usage', hint: close === undefined ? 'run `regtar help` for what there is' : `did you mean ${close}?` });
}

function findCommand(program: Command, names: readonly string[]): Command | undefined {
  return names.reduce<Command | undefined>((parent, name) => parent?.commands.find((candidate) => candidate.name() === name), program);
}

function listTopics(): string {
  const rows = Object.entries(topics).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`);
  return ['Topics, for `regtar help TOPIC`:', ...rows, '  CODE        what an error means and what to do, such as BLOB_MISSING'].join('\n');
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
