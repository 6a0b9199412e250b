import type { Command } from 'commander';
import { RegtarError } from '../../errors.ts';
import { nearest } from '../../select/nearest.ts';
import { settingsOf, type Setting } from './setting.ts';
import { invalid, readSettingsFile, type FileValue, type SettingsFile } from './read-file.ts';

/** A setting that was made, and where. */
export interface FoundSetting {
  readonly setting: Setting;
  /** As the option's parser gives it. */
  readonly value: unknown;
  /** As it was written, for people. */
  readonly shown: string;
  readonly origin: 'environment' | 'file';
  /** `REGTAR_JOBS`, or `regtar.yaml:3`. */
  readonly place: string;
}

/**
 * What environment and settings file say for one command; the environment wins.
 * @throws RegtarError CONFIG_INVALID, also for what belongs to other commands and is wrong
 */
export function findSettings(
  program: Command,
  command: Command,
  file: SettingsFile | undefined,
  env: Readonly<Record<string, string | undefined>>,
): FoundSetting[] {
  if (file !== undefined) checkNames(program, file);
  const found: FoundSetting[] = [];
  for (const setting of settingsOf(command).values()) {
    const fromFile = file?.sections.get(command.name())?.values.get(setting.name) ?? file?.common.get(setting.name);
    const fromEnvironment = env[setting.variable];
    if (fromEnvironment !== undefined && fromEnvironment !== '') {
      found.push({
        setting,
        ...parse(
          setting,
          readVariable(setting, fromEnvironment),
          (message) => new RegtarError('CONFIG_INVALID', `${setting.variable}: ${message}`),
        ),
        origin: 'environment',
        place: setting.variable,
      });
    } else if (file !== undefined && fromFile !== undefined) {
      found.push({
        setting,
        ...parse(setting, fromFile.value, (message) =>
          invalid(file.path, fromFile.line, `${setting.name}: ${message}`),
        ),
        origin: 'file',
        place: `${file.path}:${fromFile.line}`,
      });
    }
  }
  return found;
}

/** `--config`, else `REGTAR_CONFIG`, else what lies in the working directory. */
export function openSettings(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): SettingsFile | undefined {
  return readSettingsFile(named ?? (env['REGTAR_CONFIG'] || undefined));
}

/** Commands that take settings, by name. */
export function commandsWithSettings(program: Command): readonly Command[] {
  return program.commands.filter(
    (command) => command.options.some((option) => option.long === '--config') && command.commands.length === 0,
  );
}

function checkNames(program: Command, { path, common, sections }: SettingsFile): void {
  const commands = commandsWithSettings(program);
  const everything = new Map(commands.flatMap((command) => [...settingsOf(command)]));
  const names = [...everything.keys(), ...commands.map((command) => command.name())];
  for (const [name, { line, value }] of common) {
    const setting = everything.get(name);
    if (setting === undefined) throw unknown(path, line, name, names);
    parse(setting, value, (message) => invalid(path, line, `${name}: ${message}`));
  }
  for (const [name, section] of sections) {
    const command = commands.find((candidate) => candidate.name() === name);
    if (command === undefined)
      throw everything.has(name)
        ? invalid(path, section.line, `${name} takes a value, not settings of its own`)
        : unknown(path, section.line, name, names);
    const known = settingsOf(command);
    for (const [key, { line, value }] of section.values) {
      const setting = known.get(key);
      if (setting === undefined) throw unknown(path, line, key, known.keys(), ` for ${name}`);
      parse(setting, value, (message) => invalid(path, line, `${key}: ${message}`));
    }
  }
}

function unknown(path: string, line: number, name: string, names: Iterable<string>, where = ''): RegtarError {
  if (/password|token|secret/.test(name))
    return invalid(
      path,
      line,
      `${name} does not belong in a file`,
      'set REGTAR_PASSWORD, use --password-stdin, or log in with `docker login` or `podman login`',
    );
  const close = nearest(name, names);
  return invalid(
    path,
    line,
    `unknown setting ${name}${where}`,
    close === undefined ? 'settings are named like long options: run `regtar help config`' : `did you mean ${close}?`,
  );
}

function readVariable({ kind }: Setting, text: string): FileValue['value'] {
  if (kind === 'list') return text.split(/\s+/).filter((item) => item !== '');
  if (kind === 'value') return text;
  if (/^(?:1|true|yes|on)$/i.test(text)) return true;
  return /^(?:0|false|no|off)$/i.test(text) ? false : text;
}

function parse(
  { kind, option }: Setting,
  value: FileValue['value'],
  fail: (message: string) => RegtarError,
): { readonly value: unknown; readonly shown: string } {
  if (kind === 'boolean') {
    if (typeof value !== 'boolean') throw fail('true or false was expected');
    return { value, shown: String(value) };
  }
  if (typeof value === 'boolean') throw fail('a value was expected, not true or false');
  if (kind === 'list') {
    const items = typeof value === 'string' ? [value] : value;
    return { value: items, shown: items.join(' ') };
  }
  if (typeof value !== 'string') throw fail('one value was expected, not a list');
  if (option?.parseArg === undefined) return { value, shown: value };
  try {
    return { value: option.parseArg(value, undefined), shown: value };
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
}
