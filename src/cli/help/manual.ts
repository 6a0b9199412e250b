import type { Argument, Command, Option } from 'commander';
import { commandName, runnableCommands } from './command-names.ts';
import { errorHelp } from './error-codes.ts';
import { examples } from './examples.ts';
import { topics } from './topics.ts';

/**
 * The manual, from what `--help`, `regtar help TOPIC` and `regtar help CODE` say.
 * @see man(7), groff_man(7)
 */
export function formatManual(program: Command, version: string): string {
  return [
    `.TH REGTAR 1 "" "regtar ${version}" "regtar"`,
    '.SH NAME',
    'regtar \\- carry a Docker registry across an air gap',
    '.SH SYNOPSIS',
    '.B regtar',
    '.I COMMAND',
    '.RI [ OPTIONS ]',
    '.SH DESCRIPTION',
    text(program.description()),
    '.SH COMMANDS',
    ...runnableCommands(program).map(commandSection),
    ...Object.entries(topics).map(([name, topic]) => `.SH ${name.toUpperCase()}\n${verbatim(topic.text.trim())}`),
    '.SH ERRORS',
    'An error is one line with a code, and a hint. With',
    '.B \\-v',
    'its stack follows.',
    ...Object.entries(errorHelp).map(([code, { cause, remedy }]) => `.TP\n.B ${code}\n${text(cause)}\n${text(remedy)}`),
    '.SH SEE ALSO',
    '.BR skopeo (1),',
    '.BR docker\\-push (1),',
    '.BR tar (1)',
    '',
  ].join('\n');
}

function commandSection(command: Command): string {
  const name = commandName(command);
  const lines = (examples[name] ?? []).flatMap(({ about, run }) => [`# ${about}`, run]);
  return [
    `.SS regtar ${[name, ...command.registeredArguments.map(operand)].map(escape).join(' ')}`,
    text(`${command.description().replace(/^./, (letter) => letter.toUpperCase())}.`),
    ...command.registeredArguments
      .filter(({ description }) => description !== '')
      .map((argument) => `.TP\n.I ${escape(argument.name())}\n${text(argument.description)}`),
    ...command
      .createHelp()
      .visibleOptions(command)
      .filter(({ long }) => long !== '--help')
      .map(optionEntry),
    ...(lines.length > 0 ? ['.PP', 'Examples:', '.RS', verbatim(lines.join('\n')), '.RE'] : []),
  ].join('\n');
}

function operand(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? name : `[${name}]`;
}

function optionEntry(option: Option): string {
  const value = /[<[].+[>\]]/.exec(option.flags)?.[0].slice(1, -1);
  const flags = [option.short, option.long]
    .filter((flag) => flag !== undefined)
    .map((flag) => `\\fB${escape(flag)}\\fR`)
    .join(', ');
  const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`;
  const usual =
    option.defaultValue === undefined || typeof option.defaultValue === 'boolean'
      ? ''
      : ` (default ${String(option.defaultValue)})`;
  return (
    `.TP\n${flags}${value === undefined ? '' : ` \\fI${escape(value)}\\fR`}\n` +
    `${text(`${option.description}${choices}${usual}`)}`
  );
}

function verbatim(block: string): string {
  return `.nf\n${block.split('\n').map(text).join('\n')}\n.fi`;
}

/** A line that begins like a request would be one. */
function text(line: string): string {
  return escape(line).replace(/^(?=[.'])/, '\\&');
}

function escape(line: string): string {
  return line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll(
      /[^\0-\x7f]/g,
      (character) => `\\[u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
