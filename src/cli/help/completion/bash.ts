import type { CompletedCommand, Completion } from './model.ts';

/** @see bash(1), Programmable Completion */
export function bashCompletion(model: readonly CompletedCommand[]): string {
  const nested = model
    .filter(({ name }) => name !== '')
    .map(({ name }) => `'${parentOf(name)}:${name.split(' ').at(-1) ?? ''}'`);
  return `# Completions of regtar for bash: source <(regtar completion bash)
_regtar_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current"); }
_regtar_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
_regtar() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command:$word" in
      ${nested.join('|')}) command="\${command:+$command }$word" ;;
    esac
  done
  case "$command:$previous" in
${model.flatMap(valueCases).join('\n')}
  esac
  case "$command" in
${model.map(commandCase).join('\n')}
  esac
}
complete -F _regtar regtar
`;
}

function valueCases({ name, options }: CompletedCommand): string[] {
  return options.flatMap(({ flags, value }) =>
    value === undefined
      ? []
      : [`    ${flags.map((flag) => `'${name}:${flag}'`).join('|')}) ${action(value.completion)}; return ;;`],
  );
}

function commandCase({ name, options, operands, commands }: CompletedCommand): string {
  const flags = options.flatMap((option) => option.flags).join(' ');
  const completions: Completion[] =
    commands.length > 0
      ? [{ kind: 'words', words: commands.map((each) => each.name) }]
      : operands.map(({ completion }) => completion);
  const words = completions.flatMap((completion) => (completion.kind === 'words' ? completion.words : []));
  const operand = completions.some(({ kind }) => kind === 'file')
    ? '_regtar_files'
    : action(words.length > 0 ? { kind: 'words', words } : { kind: 'text' });
  return `    '${name}') if [[ $current == -* ]]; then _regtar_words '${flags}'; else ${operand}; fi ;;`;
}

function action(completion: Completion): string {
  switch (completion.kind) {
    case 'file':
      return '_regtar_files';
    case 'words':
      return `_regtar_words '${completion.words.join(' ')}'`;
    case 'text':
      return ':';
  }
}

function parentOf(name: string): string {
  return name.split(' ').slice(0, -1).join(' ');
}
