import type { RegtarError } from '../errors.ts';
import type { EventWriter } from './progress/event-writer.ts';
import { writeStandardOutput } from './standard-output.ts';

/** Where text goes: tests and wrappers may give their own. */
export interface Output {
  /** Results, on standard output. */
  line(text: string): void;
  /** Messages for people, on standard error; `--quiet` drops them. */
  message(text: string): void;
  /** Failures, on standard error, whatever else was asked for. */
  error(text: string): void;
  /** A report for programs, alone on standard output. */
  json(value: unknown): void;
  /** Sends messages and failures elsewhere while something is drawn on standard error; undefined ends that. */
  divert(write: ((text: string) => void) | undefined): void;
}

/** @param options events: takes messages and failures, so that standard error holds nothing else */
export function createOutput(options: { readonly quiet: boolean; readonly events?: EventWriter | undefined }): Output {
  const { events } = options;
  let diverted: ((text: string) => void) | undefined;
  const write = (text: string): void => {
    if (diverted !== undefined) diverted(printable(text));
    else process.stderr.write(`${printable(text)}\n`);
  };
  return {
    line: (text) => writeStandardOutput(`${printable(text)}\n`),
    message: (text) => {
      if (options.quiet) return;
      if (events === undefined) write(text);
      else events.write('message', { text });
    },
    error: (text) => {
      if (events === undefined) write(text);
      else events.write('error', { text });
    },
    divert: (next) => void (diverted = next),
    json: (value) =>
      writeStandardOutput(`${JSON.stringify(value, undefined, 2).replace(/[\u007f-\u009f]/g, escapeControl)}\n`),
  };
}

/** Names come out of archives: none of them may move a terminal's cursor. Line feeds inside our own tables stay. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, escapeControl);
}

/** `regtar: CODE: what and where`, then the hint. */
export function formatError(error: RegtarError, verbose: boolean): string {
  const lines = [
    `regtar: ${error.code}: ${error.message}`,
    `hint: ${error.hint ?? `run \`regtar help ${error.code}\``}`,
  ];
  if (verbose && error.stack !== undefined) lines.push(error.stack);
  return lines.map((line) => oneLine(line, verbose)).join('\n');
}

function oneLine(text: string, verbose: boolean): string {
  return verbose ? text : text.replace(/\s*\n\s*/g, ' ');
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
