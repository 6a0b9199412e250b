import type { RegtarError } from '../errors.ts';
import { jsonPieces } from '../io/json-pieces.ts';
import { printable, printableLines } from '../io/printable.ts';
import type { EventWriter } from './progress/event-writer.ts';
import { writeStandardOutput } from './standard-output.ts';

/** Where text goes: tests and wrappers may give their own. */
export interface Output {
  /** The width of the terminal that results go to; undefined where they go elsewhere. */
  readonly columns: number | undefined;
  /** Results, on standard output. */
  line(text: string): void;
  /** Bytes as they are, on standard output: what was asked for to the byte. */
  raw(bytes: Uint8Array): void;
  /** Messages for people, on standard error; `--quiet` drops them. */
  message(text: string): void;
  /** Failures, on standard error, even with --quiet. */
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
    if (diverted !== undefined) diverted(printableLines(text));
    else process.stderr.write(`${printableLines(text)}\n`);
  };
  return {
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
    line: (text) => writeStandardOutput(`${printableLines(text)}\n`),
    raw: writeStandardOutput,
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
    json(value) {
      for (const piece of jsonPieces(value)) writeStandardOutput(printableLines(piece));
      writeStandardOutput('\n');
    },
  };
}

/** `regtar: CODE: what and where`, then the hint. */
export function formatError(error: RegtarError, verbose: boolean): string {
  // Messages of others, such as those of a library, may have several lines; ours have one, so a line break in them is a
  // name's.
  const line = (text: string): string => printable(error.code === 'INTERNAL' ? text.replace(/\s*\n\s*/g, ' ') : text);
  return [
    `regtar: ${error.code}: ${line(error.message)}`,
    `hint: ${line(error.hint ?? `run \`regtar help ${error.code}\``)}`,
    ...(verbose && error.stack !== undefined ? [error.stack.replace(error.message, () => line(error.message))] : []),
  ].join('\n');
}
