import type { Command, Option } from 'commander';
import type { ConfiguredOperands } from '../operands.ts';
import { findSettings, openSettings } from './find.ts';

/**
 * Puts what environment and settings file say where the command line says nothing.
 * @returns where settings were found, for a line on standard error; empty where nothing was
 * @throws RegtarError CONFIG_INVALID
 */
export function applySettings(
  program: Command,
  command: Command,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const file = openSettings(command.getOptionValue('config') as string | undefined, env);
  const configured: Record<string, unknown> = {};
  const variables = new Set<string>();
  let isFileUsed = false;
  for (const { setting, value, origin, place } of findSettings(program, command, file, env)) {
    const { name, option } = setting;
    if (option === undefined) configured[name] = value;
    else {
      const attribute = option.attributeName();
      const rivals = [
        ...rivalsOf(option),
        ...command.options.filter((other) => rivalsOf(other).includes(attribute)).map((other) => other.attributeName()),
      ];
      if ([attribute, ...rivals].some((key) => command.getOptionValueSource(key) === 'cli')) continue;
      command.setOptionValueWithSource(attribute, value, origin === 'file' ? 'config' : 'env');
    }
    if (origin === 'file') isFileUsed = true;
    else variables.add(place);
  }
  command.setOptionValueWithSource('configured', configured as ConfiguredOperands, 'config');
  return [
    ...(variables.size > 0 ? [`${[...variables].join(', ')} from the environment`] : []),
    ...(isFileUsed && file !== undefined ? [file.path] : []),
  ];
}

/** What an option cannot stand beside: commander keeps it and has no type for it. */
function rivalsOf(option: Option): readonly string[] {
  return (option as Option & { readonly conflictsWith?: readonly string[] }).conflictsWith ?? [];
}
