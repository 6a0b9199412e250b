import type { Command, Option } from 'commander';
import { collect } from '../declare/values.ts';

/** One thing that flags, environment and `regtar.yaml` may say. */
export interface Setting {
  /** As in `regtar.yaml`: the long option without dashes, and without `no-`. */
  readonly name: string;
  /** `REGTAR_` and the name. */
  readonly variable: string;
  readonly kind: 'boolean' | 'value' | 'list';
  /** undefined for operands. */
  readonly option: Option | undefined;
}

/** Said on the command line alone: they name this run's input, or the settings themselves. */
const flagsOnly = new Set(['help', 'version', 'config', 'password-stdin', 'registry-token-stdin']);
const operandNames = new Set(['SOURCE', 'TARGET', 'OUT']);

/** What may be set for a command, by name. */
export function settingsOf(command: Command): ReadonlyMap<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const argument of command.registeredArguments) {
    const name = argument.name();
    // What must be given is asked for before any setting is looked at.
    if (operandNames.has(name) && !argument.required)
      add(settings, name.toLowerCase(), name === 'SOURCE' ? 'list' : 'value', undefined);
  }
  for (const option of command.options) {
    const name = settingName(option);
    if (!flagsOnly.has(name) && !settings.has(name) && !option.mandatory) add(settings, name, kindOf(option), option);
  }
  return settings;
}

/** `jobs` for `--jobs`, `progress` for `--no-progress`. */
function settingName(option: Option): string {
  return (option.long ?? '').replace(/^--(?:no-)?/, '');
}

function add(settings: Map<string, Setting>, name: string, kind: Setting['kind'], option: Option | undefined): void {
  settings.set(name, { name, variable: `REGTAR_${name.toUpperCase().replaceAll('-', '_')}`, kind, option });
}

function kindOf(option: Option): Setting['kind'] {
  if (option.negate || option.isBoolean()) return 'boolean';
  return option.parseArg === collect ? 'list' : 'value';
}
