import type { Command, Option } from 'commander';
import { collect } from '../../declare/values.ts';
import { commandName } from '../command-names.ts';
import { errorHelp } from '../error-codes.ts';
import { topics } from '../topics.ts';

/** What may stand somewhere. `text` is known only to the person who types. */
export type Completion =
  { readonly kind: 'file' } | { readonly kind: 'text' } | { readonly kind: 'words'; readonly words: readonly string[] };

/** One option as shells complete it. */
export interface CompletedOption {
  /** `-j` and `--jobs`. */
  readonly flags: readonly string[];
  readonly about: string;
  readonly isRepeatable: boolean;
  /** undefined for a switch */
  readonly value: { readonly name: string; readonly completion: Completion } | undefined;
}

/** One command as shells complete it. */
export interface CompletedCommand {
  /** After `regtar`: empty for the program itself, `config check` for a command of a command. */
  readonly name: string;
  readonly options: readonly CompletedOption[];
  readonly operands: readonly {
    readonly name: string;
    readonly completion: Completion;
    readonly isRepeatable: boolean;
  }[];
  /** Commands of this one. */
  readonly commands: readonly { readonly name: string; readonly about: string }[];
}

/** The command line as every shell's completions need it: the program first, then each command. */
export function completionModel(program: Command): CompletedCommand[] {
  return [
    describe(program, program),
    ...program.commands
      .flatMap((command) => [command, ...command.commands])
      .map((command) => describe(command, program)),
  ];
}

function describe(command: Command, program: Command): CompletedCommand {
  return {
    name: commandName(command),
    options: command.createHelp().visibleOptions(command).map(describeOption),
    operands: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      completion: completionOf(argument.name(), argument.argChoices, program),
      isRepeatable: argument.variadic,
    })),
    commands: command.commands.map((each) => ({ name: each.name(), about: each.description() })),
  };
}

function describeOption(option: Option): CompletedOption {
  const name = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    about: option.description,
    isRepeatable: option.parseArg === collect,
    value: name === undefined ? undefined : { name, completion: completionOf(name, option.argChoices) },
  };
}

const files = new Set(['file', 'folder', 'source', 'old', 'SOURCE', 'OUT', 'OLD', 'NEW', 'FILE']);

function completionOf(name: string, choices: readonly string[] | undefined, program?: Command): Completion {
  if (choices !== undefined) return { kind: 'words', words: choices };
  if (name === 'SUBJECT' && program !== undefined)
    return {
      kind: 'words',
      words: [...program.commands.map((command) => command.name()), ...Object.keys(topics), ...Object.keys(errorHelp)],
    };
  if (name === 'COMMAND' && program !== undefined)
    return { kind: 'words', words: program.commands.map((command) => command.name()) };
  return { kind: files.has(name) ? 'file' : 'text' };
}
