import type { RegtarError } from '../errors.ts';

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
}

export function createOutput(options: { readonly quiet: boolean }): Output {
  return {
    line: (text) => void process.stdout.write(`${printable(text)}\n`),
    message: (text) => {
      if (!options.quiet) process.stderr.write(`${printable(text)}\n`);
    },
    error: (text) => void process.stderr.write(`${printable(text)}\n`),
    json: (value) => void process.stdout.write(`${JSON.stringify(value, undefined, 2).replace(/[\u007f-\u009f]/g, escapeControl)}\n`),
  };
}

/** Names come out of archives: none of them may move a terminal's cursor. Line feeds inside our own tables stay. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, escapeControl);
}

/** `regtar: CODE: what and where`, then the hint. */
export function formatError(error: RegtarError, verbose: boolean): string {
  const lines = [`regtar: ${error.code}: ${error.message}`];
  if (error.hint !== undefined) lines.push(`hint: ${error.hint}`);
  if (verbose && error.stack !== undefined) lines.push(error.stack);
  return lines.map((line) => oneLine(line, verbose)).join('\n');
}

function oneLine(text: string, verbose: boolean): string {
  return verbose ? text : text.replace(/\s*\n\s*/g, ' ');
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
