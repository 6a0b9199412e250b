import type { CompletedCommand, Completion } from './model.ts';

/** @see fish's documentation of `complete` */
export function fishCompletion(model: readonly CompletedCommand[]): string {
  return `# Completions of regtar for fish: regtar completion fish | source
complete -c regtar -f
${model.flatMap((command) => commandLines(command, model)).join('\n')}
`;
}

function commandLines(
  { name, options, operands, commands }: CompletedCommand,
  model: readonly CompletedCommand[],
): string[] {
  // fish looks for words anywhere: `check` alone must not count behind `config`, which has a `check` of its own.
  const namesakes = model
    .map((each) => each.name.split(' '))
    .flatMap(([parent = '', inner]) => (inner === name ? parent : []));
  const here = condition(name, [...commands.map((command) => command.name), ...namesakes]);
  return [
    ...commands.map((command) => `${here} -a ${command.name} -d ${quote(command.about)}`),
    ...options.map(
      ({ flags, about, value }) =>
        `${here} ${flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ')} ` +
        `-d ${quote(about)}${value === undefined ? '' : ` -r ${action(value.completion)}`}`,
    ),
    ...operands
      .filter(({ completion }) => completion.kind !== 'text')
      .map(({ completion }) => `${here} ${action(completion)}`),
  ];
}

/** When a line of completions counts: behind this command, and without the others. */
function condition(name: string, others: readonly string[]): string {
  const behind = name
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => `__fish_seen_subcommand_from ${word}`);
  const without = others.length === 0 ? [] : [`not __fish_seen_subcommand_from ${others.join(' ')}`];
  return `complete -c regtar -n ${quote([...behind, ...without].join('; and '))}`;
}

function action(completion: Completion): string {
  switch (completion.kind) {
    case 'file':
      return '-F';
    case 'words':
      return `-f -a ${quote(completion.words.join(' '))}`;
    case 'text':
      return '-f';
  }
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
