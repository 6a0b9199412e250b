import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const project = fileURLToPath(new URL('../../../', import.meta.url));

/** A page of the documentation. */
export interface Document {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
}

/** Everything that people read: pages at the top, `docs/`, and what lies beside data and benchmarks. */
export function readDocuments(): readonly Document[] {
  const paths = [
    ...readdirSync(project)
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(project, name)),
    ...['docs', 'bench', 'testdata', 'deploy'].flatMap((folder) =>
      readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.md'))
        .map((name) => join(project, folder, name)),
    ),
  ];
  return paths.sort().map((path) => ({ path: relative(project, path), text: readFileSync(path, 'utf8') }));
}

export interface CodeBlock {
  /** What stands behind the opening fence. */
  readonly language: string;
  readonly code: string;
  /** Of the first line of code, from 1. */
  readonly line: number;
}

/** Fenced blocks, in order. */
export function codeBlocks(text: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; lines: string[]; line: number } | undefined;
  text.split('\n').forEach((line, index) => {
    const fence = /^ *```([^`]*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { language: (fence[1] ?? '').trim(), lines: [], line: index + 2 };
    else {
      blocks.push({ language: open.language, code: open.lines.join('\n'), line: open.line });
      open = undefined;
    }
  });
  return blocks;
}
