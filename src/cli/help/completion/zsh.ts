import type { CompletedCommand, CompletedOption, Completion } from './model.ts';

/** @see zshcompsys(1), `_arguments` and `_describe` */
export function zshCompletion(model: readonly CompletedCommand[]): string {
  return `#compdef regtar
# Completions of regtar for zsh: source <(regtar completion zsh), or a file _regtar in a folder of $fpath
${model.map(commandFunction).join('\n')}
if [ "$funcstack[1]" = "_regtar" ]; then _regtar "$@"; else compdef _regtar regtar; fi
`;
}

function commandFunction({ name, options, operands, commands }: CompletedCommand): string {
  const specs = options.map(optionSpec);
  if (commands.length === 0) {
    const places = operands.map(
      (operand, index) =>
        `'${operand.isRepeatable ? '*' : index + 1}:${escape(operand.name)}:${action(operand.completion)}'`,
    );
    return `${functionName(name)}() {\n  _arguments -s ${[...specs, ...places].join(' \\\n    ')}\n}`;
  }
  return `${functionName(name)}() {
  local state
  _arguments -C ${[...specs, "'1:command:->command'", "'*::operand:->operands'"].join(' \\\n    ')}
  case $state in
    command)
      local -a commands=(
${commands.map((command) => `        '${escape(`${command.name}:${command.about}`, '')}'`).join('\n')}
      )
      _describe command commands ;;
    operands)
      case $words[1] in
${commands.map((command) => `        ${command.name}) ${functionName(`${name} ${command.name}`)} ;;`).join('\n')}
      esac ;;
  esac
}`;
}

function optionSpec({ flags, about, isRepeatable, value }: CompletedOption): string {
  const text = `[${escape(about)}]${value === undefined ? '' : `:${escape(value.name)}:${action(value.completion)}`}`;
  if (flags.length === 1) return `'${isRepeatable ? '*' : ''}${flags[0]}${text}'`;
  return `'(${flags.join(' ')})'{${flags.join(',')}}'${text}'`;
}

function action(completion: Completion): string {
  switch (completion.kind) {
    case 'file':
      return '_files';
    case 'words':
      return `(${completion.words.join(' ')})`;
    // Not a blank, which is zsh's own word for it: with that, options beside it are shown and not inserted.
    case 'text':
      return '()';
  }
}

function functionName(name: string): string {
  return `_regtar${name.trim() === '' ? '' : `_${name.trim().replaceAll(/[ -]/g, '_')}`}`;
}

function escape(text: string, special = '[]:'): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll(/[[\]:]/g, (character) => (special.includes(character) ? `\\${character}` : character))
    .replaceAll("'", `'\\''`);
}
