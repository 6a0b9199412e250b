import { existsSync, statSync } from 'node:fs';
import { RegtarError } from '../errors.ts';
import { isRepository } from '../oci/reference.ts';
import { isFarOperand } from '../source/far/operand.ts';
import { indexSuffix } from '../source/index-suffix.ts';

const defaultSource = 'docker.tar';

/** Operands that environment or settings file name; the command line's come first. */
export interface ConfiguredOperands {
  readonly source?: readonly string[];
  readonly target?: string;
  readonly out?: string;
}

/** SOURCE where it is not an operand. */
export interface SourceOption {
  /** `--source`, repeatable. */
  readonly source?: readonly string[] | undefined;
  readonly configured?: ConfiguredOperands | undefined;
}

/**
 * Splits `[SOURCE…] OPERAND`: the last is OPERAND; where it stands alone, SOURCE is `docker.tar` in the current
 * directory.
 * @throws RegtarError USAGE, SOURCE_NOT_FOUND
 */
export function splitOperands(
  operands: readonly string[],
  options: SourceOption,
  operandName: 'TARGET' | 'OUT',
): { readonly sources: readonly string[]; readonly operand: string } {
  const operand = operands.at(-1) ?? options.configured?.[operandName === 'OUT' ? 'out' : 'target'];
  if (operand === undefined)
    throw new RegtarError('USAGE', `${operandName} is missing`, {
      hint:
        operandName === 'OUT'
          ? 'write `regtar export [SOURCE] OUT`'
          : 'write `regtar push [SOURCE] TARGET`, such as harbor.example.com',
    });
  if (operandName === 'TARGET' && operands.length > 0 && operands.length !== 2 && isFile(operand))
    throw new RegtarError('USAGE', `TARGET is missing: ${operand} is a file`, {
      hint: `say where it should go: \`regtar push ${operand} harbor.example.com\``,
    });
  if (operandName === 'OUT') refuseSwapped(operands, options);
  return { sources: sourceOperands(operands.slice(0, -1), options), operand };
}

/** A single operand is OUT; where there is no SOURCE for it, a file that exists is more likely SOURCE. */
function refuseSwapped(operands: readonly string[], options: SourceOption): void {
  const [first = '', second = ''] = operands;
  const hasSource =
    options.source !== undefined || options.configured?.source !== undefined || existsSync(defaultSource);
  if (operands.length === 1 && !hasSource && isFile(first))
    throw new RegtarError('USAGE', `OUT is missing: ${first} is a file`, {
      hint: `say where it should go: \`regtar export ${first} OUT\``,
    });
  if (operands.length === 2 && !isFarOperand(first) && first !== '-' && !existsSync(first) && isFile(second))
    throw new RegtarError('SOURCE_NOT_FOUND', `${first} does not exist`, {
      where: { path: first },
      hint: `SOURCE comes first: \`regtar export ${second} ${first}\``,
    });
}

/** Every SOURCE that is named, `docker.tar` where none is. @throws RegtarError SOURCE_NOT_FOUND */
export function sourceOperands(operands: readonly string[], options: SourceOption): readonly string[] {
  const given = [...operands, ...(options.source ?? [])];
  // A shell's `docker.tar.*` names the index, too.
  const sources = given.length > 1 ? given.filter((path) => !path.endsWith(indexSuffix)) : given;
  if (sources.length > 0) return sources;
  return options.configured?.source ?? [requireDefault()];
}

/** `inspect [SOURCE…] [REF]`: the last operand is a REF when no such file is there and it looks like one. */
export function splitReference(
  operands: readonly string[],
  options: SourceOption,
): { readonly sources: readonly string[]; readonly reference: string | undefined } {
  const last = operands.at(-1);
  const isOperand = (operand: string): boolean =>
    operands.length === 2
      ? !isFarOperand(operand) && !existsSync(operand)
      : isReference(operand) || (operands.length === 1 && namesRepository(operand));
  return last !== undefined && isOperand(last)
    ? { sources: sourceOperands(operands.slice(0, -1), options), reference: last }
    : { sources: sourceOperands(operands, options), reference: undefined };
}

function isReference(operand: string): boolean {
  return (
    operand !== '-' &&
    !isFarOperand(operand) &&
    !existsSync(operand) &&
    /[:@]/.test(operand) &&
    !/\.(?:tar|tgz|gz|zst)$/.test(operand)
  );
}

/** A word that is not a file, where SOURCE is known without it. */
function namesRepository(operand: string): boolean {
  return existsSync(defaultSource) && !existsSync(operand) && isRepository(operand) && !/\.[a-z0-9]+$/.test(operand);
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
