import { existsSync, statSync } from 'node:fs';
import { RegtarError } from '../errors.ts';

export const defaultSource = 'docker.tar';

/** Operands that environment or settings file name; the command line's come first. */
export interface ConfiguredOperands {
  readonly source?: readonly string[];
  readonly target?: string;
  readonly out?: string;
}

export interface SourceOption {
  /** `--source`, repeatable. */
  readonly source?: readonly string[] | undefined;
  readonly configured?: ConfiguredOperands | undefined;
}

/**
 * Splits `[SOURCE] OPERAND`: one operand alone is the second, and SOURCE is `docker.tar` in the current directory.
 * @throws RegtarError USAGE, SOURCE_NOT_FOUND
 */
export function splitOperands(
  operands: readonly string[],
  options: SourceOption,
  operandName: 'TARGET' | 'OUT',
): { readonly sources: readonly string[]; readonly operand: string } {
  const [first = options.configured?.[operandName === 'OUT' ? 'out' : 'target'], second] = operands;
  if (first === undefined)
    throw new RegtarError('USAGE', `${operandName} is missing`, {
      hint: `write \`regtar COMMAND [SOURCE] ${operandName}\`; see --help`,
    });
  if (second === undefined && operandName === 'TARGET' && isFile(first))
    throw new RegtarError('USAGE', `TARGET is missing: ${first} is a file`, {
      hint: `write where it shall go: \`regtar push ${first} harbor.example.com\``,
    });
  return second === undefined
    ? { sources: sourceOperands(undefined, options), operand: first }
    : { sources: sourceOperands(first, options), operand: second };
}

/** SOURCE alone, `docker.tar` where none is given. @throws RegtarError SOURCE_NOT_FOUND */
export function sourceOperands(operand: string | undefined, options: SourceOption): readonly string[] {
  const given = options.source ?? [];
  if (operand !== undefined) return [operand, ...given];
  if (given.length > 0) return given;
  return options.configured?.source ?? [requireDefault()];
}

/** `inspect [SOURCE] [REF]`: one operand is a REF when no such file is there and it looks like one. */
export function splitReference(
  operands: readonly string[],
  options: SourceOption,
): { readonly sources: readonly string[]; readonly reference: string | undefined } {
  const [first, second] = operands;
  if (second !== undefined && first !== undefined)
    return { sources: [first, ...(options.source ?? [])], reference: second };
  const isReference =
    first !== undefined &&
    first !== '-' &&
    !existsSync(first) &&
    /[:@]/.test(first) &&
    !/\.(?:tar|tgz|gz|zst)$/.test(first);
  return isReference
    ? { sources: sourceOperands(undefined, options), reference: first }
    : { sources: sourceOperands(first, options), reference: undefined };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function requireDefault(): string {
  if (existsSync(defaultSource)) return defaultSource;
  throw new RegtarError(
    'SOURCE_NOT_FOUND',
    `no SOURCE was given and there is no ${defaultSource} in the current directory`,
    { hint: 'name the backup: a docker.tar, a directory, or - for standard input' },
  );
}
