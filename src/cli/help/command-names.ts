import type { Command } from 'commander';

/** A command's words after `regtar`: `push`, `config check`. */
export function commandName(command: Command): string {
  const names: string[] = [];
  for (let each: Command | null = command; each?.parent; each = each.parent) names.unshift(each.name());
  return names.join(' ');
}

/** Every command that does something, in the order of `--help`; those that only hold others are left out. */
export function runnableCommands(program: Command): Command[] {
  return program.commands.flatMap((command) => (command.commands.length > 0 ? runnableCommands(command) : [command]));
}
