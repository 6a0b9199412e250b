import type { Command } from 'commander';
import { RegtarError } from '../../errors.ts';
import type { Context } from '../context.ts';
import { nearest } from '../../select/nearest.ts';
import { renderTable } from '../render/table.ts';
import { commandsWithSettings, findSettings, openSettings } from '../settings/find.ts';
import { settingsOf } from '../settings/setting.ts';

/** One thing that is in force. */
interface SettingInForce {
  readonly name: string;
  readonly value: string;
  /** `REGTAR_JOBS`, `regtar.yaml:3`, or `default`. */
  readonly from: string;
  /** The commands that it counts for. */
  readonly commands: readonly string[];
}

/** Read together with credentials, or by wrappers: they are not settings of a command. */
const otherVariables = ['REGTAR_CONFIG', 'REGTAR_PASSWORD'];

/**
 * `regtar config check [COMMAND]`
 * @throws RegtarError CONFIG_INVALID for what could not be used, USAGE for a COMMAND without settings
 */
export async function checkConfig(
  name: string | undefined,
  options: { readonly config?: string; readonly json?: boolean },
  program: Command,
  context: Context,
): Promise<number> {
  const file = openSettings(options.config, process.env);
  const commands = chooseCommands(program, name);
  const found = commands.flatMap((command) =>
    findSettings(program, command, file, process.env).map(({ setting, shown, place }) => ({
      command,
      name: setting.name,
      value: redact(setting.name, shown),
      from: place,
    })),
  );
  const byPlace = new Map<string, SettingInForce>();
  for (const { command, ...each } of found) {
    const key = `${each.name} ${each.from}`;
    byPlace.set(key, { ...each, commands: [...(byPlace.get(key)?.commands ?? []), command.name()] });
  }
  const settings = [...byPlace.values()];
  const inForce = name === undefined ? settings : [...settings, ...defaultsOf(commands[0], settings)];
  const unknown = unknownVariables(program);
  for (const { variable, hint } of unknown)
    context.output.message(
      `${variable} is not a setting of regtar${hint === undefined ? '' : `: did you mean ${hint}?`}`,
    );
  if (options.json === true)
    context.output.json({
      ...(file !== undefined && { file: file.path }),
      settings: inForce,
      unknown: unknown.map(({ variable }) => variable),
    });
  else for (const line of render(inForce, file?.path, name === undefined)) context.output.line(line);
  return Promise.resolve(0);
}

function chooseCommands(program: Command, name: string | undefined): readonly Command[] {
  const all = commandsWithSettings(program);
  if (name === undefined) return all;
  const chosen = all.filter((command) => command.name() === name);
  if (chosen.length > 0) return chosen;
  const close = nearest(
    name,
    all.map((command) => command.name()),
  );
  throw new RegtarError('USAGE', `${name} is not a command that takes settings`, {
    hint:
      close === undefined ? `these do: ${all.map((command) => command.name()).join(', ')}` : `did you mean ${close}?`,
  });
}

function defaultsOf(command: Command | undefined, settings: readonly SettingInForce[]): SettingInForce[] {
  if (command === undefined) return [];
  return [...settingsOf(command).values()]
    .filter(({ name, option }) => option?.defaultValue !== undefined && !settings.some((each) => each.name === name))
    .map(({ name, option }) => ({
      name,
      value: String(option?.defaultValue),
      from: 'default',
      commands: [command.name()],
    }));
}

/**
 * A slip in a variable's name changes nothing, in silence: so it is said. No error, because container platforms set
 * names of their own.
 */
function unknownVariables(program: Command): { readonly variable: string; readonly hint: string | undefined }[] {
  const known = new Set([
    ...otherVariables,
    ...commandsWithSettings(program).flatMap((command) =>
      [...settingsOf(command).values()].map(({ variable }) => variable),
    ),
  ]);
  return Object.keys(process.env)
    .filter((variable) => variable.startsWith('REGTAR_') && !known.has(variable))
    .map((variable) => ({ variable, hint: nearest(variable, known) }));
}

function* render(settings: readonly SettingInForce[], path: string | undefined, isAll: boolean): Generator<string> {
  if (settings.length === 0) {
    yield path === undefined
      ? 'nothing is set: there is no regtar.yaml here, and no REGTAR_* variable'
      : `${path} sets nothing`;
    return;
  }
  const head = ['setting', 'value', 'from', ...(isAll ? ['for'] : [])];
  yield renderTable(
    head,
    settings.map(({ name, value, from, commands }) => [name, value, from, ...(isAll ? [commands.join(' ')] : [])]),
  );
  if (process.env['REGTAR_PASSWORD']) yield 'REGTAR_PASSWORD is set (not shown)';
}

/** A password in an address is refused when it is used; until then it is not shown either. */
function redact(name: string, shown: string): string {
  return name === 'target' ? shown.replace(/^([a-z]+:\/\/)?[^/@]*@/, '$1***@') : shown;
}
