/** One command of a shell line, without redirections. */
export type ShellCommand = readonly string[];

/**
 * Splits shell text as far as documentation uses it: quotes, backslashes, line continuations, comments, pipes and lists, redirections.
 * Variables stay as they are written.
 */
export function shellCommands(text: string): readonly ShellCommand[] {
  const commands: string[][] = [];
  for (const line of text.replaceAll(/\\\n\s*/g, ' ').split('\n'))
    commands.push(...lineCommands(line.replace(/^\s*[$#] (?=\S)/, '')));
  return commands;
}

function lineCommands(line: string): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  for (const match of line.matchAll(
    /\s+|(#.*$)|(\|\|?|&&|;|&(?!>))|([0-9]?(?:>>?|<)(?:&[0-9])?)|((?:'[^']*'|"(?:[^"\\]|\\.)*"|\$\([^)]*\)|\\.|[^\s'"|&;<>\\])+)/g,
  )) {
    const [, comment, separator, redirection, word] = match;
    if (comment !== undefined) break;
    if (separator !== undefined) {
      commands.push(words);
      words = [];
    } else if (redirection !== undefined) words.push(redirection.includes('&') ? '' : '>');
    else if (word !== undefined)
      words.push(
        word.replaceAll(
          /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g,
          (_all, single: string | undefined, double: string | undefined, escaped: string | undefined) =>
            single ?? double ?? escaped ?? '',
        ),
      );
  }
  commands.push(words);
  return commands.map(withoutRedirections).filter((command) => command.length > 0);
}

function withoutRedirections(words: readonly string[]): string[] {
  return words.filter((word, index) => word !== '' && word !== '>' && words[index - 1] !== '>');
}
