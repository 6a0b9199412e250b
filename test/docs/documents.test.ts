import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeBlocks, project, readDocuments } from './support/documents.ts';
import { parseCommandLine } from './support/parse-command-line.ts';
import { shellCommands } from './support/shell-words.ts';

const documents = readDocuments();

describe('the words of a shell line', () => {
  it.each([
    ["regtar push a.tar --map 'x/*=y/*' 2>log >out # why", [['regtar', 'push', 'a.tar', '--map', 'x/*=y/*']]],
    [
      'ssh old tar -cf - docker | regtar push - "host name"',
      [
        ['ssh', 'old', 'tar', '-cf', '-', 'docker'],
        ['regtar', 'push', '-', 'host name'],
      ],
    ],
    [
      '$ regtar list \\\n    --json && echo done',
      [
        ['regtar', 'list', '--json'],
        ['echo', 'done'],
      ],
    ],
    ['regtar check host < report.json', [['regtar', 'check', 'host']]],
  ])('%j', (text, commands) => {
    expect(shellCommands(text)).toEqual(commands);
  });
});

it('finds the command lines, and would see one that regtar does not take', async () => {
  expect(documents.flatMap(({ text }) => commandLinesOf(text)).length).toBeGreaterThan(25);
  expect(await parseCommandLine(['push', 'docker.tar', 'host', '--no-such-option'])).toMatch(/unknown option/);
  expect(await parseCommandLine(['psuh'])).toMatch(/unknown command/);
  expect(await parseCommandLine(['export', 'docker.tar', 'out', '--format', 'zip'])).toMatch(/Allowed choices/);
});

/** Of regtar, without its name: in blocks, and in the text between them. */
function commandLinesOf(text: string): readonly (readonly string[])[] {
  const inBlocks = codeBlocks(text)
    .filter(({ language }) => ['', 'sh', 'console', 'bash', 'text'].includes(language))
    .flatMap(({ code }) => shellCommands(code));
  const inline = [...text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`(regtar [^`\n]+)`/g)].flatMap(
    ([, code]) => shellCommands(code ?? ''),
  );
  const lines = [...inBlocks, ...inline].filter(
    ([program, first]) =>
      program === 'regtar' && first !== undefined && /^[a-z-]/.test(first) && !/^[a-z]+:$/.test(first),
  );
  // What stands for something else is not a command; a command's name alone speaks of it, and must be one.
  return lines
    .filter((words) => !words.some((word) => /…|\.\.\.|^\[[A-Z]+\]$/.test(word)))
    .map(([, ...words]) => (words.length === 1 ? [...words, '--help'] : words));
}

describe.each(documents)('$path', ({ path, text }) => {
  it('shows command lines that regtar takes', async () => {
    const wrong = await Promise.all(
      commandLinesOf(text).map(async (words) => [await parseCommandLine(words), words.join(' ')]),
    );
    expect(wrong.filter(([reason]) => reason !== undefined)).toEqual([]);
  });

  it('links to what is there', () => {
    const prose = text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').replaceAll(/`[^`\n]*`/g, '');
    const links = [...prose.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link ?? '')
      .filter((link) => !/^[a-z]+:/.test(link));
    const broken = links.filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? join(project, path) : join(project, dirname(path), file);
      return !existsSync(target) || (anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).has(anchor));
    });
    expect(broken).toEqual([]);
  });
});

it('docs/model.md names every room of src', () => {
  const rooms = readdirSync(join(project, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const text = readFileSync(join(project, 'docs/model.md'), 'utf8');
  expect(rooms.filter((room) => !text.includes(`**${room}/**`))).toEqual([]);
});

/** As GitHub makes them of headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  return new Set(
    [...text.matchAll(/^#+ +(.+)$/gm)].map(([, heading]) =>
      (heading ?? '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  );
}
