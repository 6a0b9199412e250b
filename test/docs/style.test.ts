import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const project = join(import.meta.dirname, '..', '..');
const files = (...places: string[]): readonly string[] =>
  execFileSync('git', ['ls-files', '-z', '--', ...places], { cwd: project, encoding: 'utf8' })
    .split('\0')
    .filter(Boolean);
const linesWith = (pattern: RegExp, ...places: string[]): readonly string[] =>
  files(...places)
    .filter((path) => /\.(?:ts|js|css|md)$/.test(path))
    .flatMap((path) =>
      readFileSync(join(project, path), 'utf8')
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
const atMost = (lines: readonly string[], limit: number): void =>
  expect(lines.length > limit ? lines : [], `${lines.length} lines, at most ${limit}`).toEqual([]);

describe('src, docs and the README read well', () => {
  it('nobody, somebody, whoever and whatever are rare: a sentence has a subject that people know', () => {
    atMost(linesWith(/\b(?:nobody|somebody|whoever|whatever)\b/i, 'src', 'docs', 'README.md'), 20);
  });

  it('a default is stated as @defaultValue in comments, and as (default …) in help', () => {
    expect(
      linesWith(/\bunless told\b|^\s*(?:\/\*\*|\*|\/\/).*[;.] [Dd]efault:? (?:true|false|none|`|[0-9])/, 'src'),
    ).toEqual([]);
    expect(linesWith(/\bunless told\b/, 'docs', 'README.md')).toEqual([]);
  });

  it('lines of src are at most 120 columns wide; prettier wraps neither strings nor comments', () => {
    atMost(linesWith(/^.{121,}$/u, 'src'), 20);
  });
});
