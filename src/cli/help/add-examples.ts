import type { Command } from 'commander';
import { commandName, runnableCommands } from './command-names.ts';
import { examples } from './examples.ts';
import { topics } from './topics.ts';

/** Lets `--help` of every command end with its examples, and that of the program with what else there is to read. */
export function addExamples(program: Command): void {
  program.addHelpText('after', `\n${listTopics()}`);
  for (const command of runnableCommands(program)) {
    const lines = (examples[commandName(command)] ?? []).flatMap(({ about, run }) => [`  # ${about}`, `  ${run}`]);
    if (lines.length > 0) command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  }
}

function listTopics(): string {
  const rows = Object.entries(topics).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`);
  return [
    'Topics, for `regtar help TOPIC`:',
    ...rows,
    '  CODE        what an error means and what to do, such as BLOB_MISSING',
  ].join('\n');
}
