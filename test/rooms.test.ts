import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const sources = join(import.meta.dirname, '..', 'src');

/**
 * Which rooms a room may import, beside itself. A name with a slash is that one file: `source/backup` is the contract without the
 * code behind it. `docs/model.md` draws the same table.
 */
const rooms: Readonly<Record<string, readonly string[] | 'all'>> = {
  errors: [],
  oci: ['errors'],
  io: ['errors', 'oci'],
  tar: ['errors', 'io'],
  net: ['errors', 'io'],
  s3: ['errors', 'io', 'net'],
  source: ['errors', 'oci', 'io', 'net', 's3', 'tar', 'formats/registry/layout'],
  content: ['errors', 'oci', 'io'],
  formats: ['errors', 'oci', 'io', 'net', 's3', 'tar', 'source/backup', 'content'],
  names: ['errors', 'oci', 'io', 'content'],
  select: ['errors', 'oci', 'content'],
  copy: ['errors', 'oci', 'io', 'content', 'select'],
  verify: ['errors', 'oci', 'io', 'content'],
  remote: ['errors', 'oci', 'io', 'net'],
  harbor: ['errors', 'oci', 'io', 'net', 'remote'],
  push: [
    'errors',
    'oci',
    'io',
    'content',
    'copy',
    'select',
    'remote',
    'harbor',
    // Storage that a registry serves is written through the format's own contract.
    'formats/registry/layout',
    'formats/registry/place',
    'formats/registry/placed-blobs',
  ],
  load: ['errors', 'io', 'content', 'formats'],
  report: ['errors', 'oci', 'io', 'content', 'select', 'copy', 'formats/formats'],
  serve: ['errors', 'oci', 'io', 'content'],
  check: ['errors', 'oci', 'io', 'content', 'formats/reader', 'remote', 'report'],
  cli: 'all',
  index: 'all',
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'));
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(sources, file), 'utf8')));

describe('rooms import only what the table allows', () => {
  it.each(files.map(roomOf).filter((room, index, all) => all.indexOf(room) === index))('%s', (room) => {
    expect(Object.keys(rooms), 'every room of src is in the table').toContain(room);
    const allowed = rooms[room] ?? [];
    const wrong = imports.filter(
      ({ from, to }) =>
        roomOf(from) === room &&
        roomOf(to) !== room &&
        allowed !== 'all' &&
        !allowed.includes(roomOf(to)) &&
        !allowed.includes(to.replace(/\.ts$/, '')),
    );
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('no permission is without a user', () => {
    const unused = Object.entries(rooms).flatMap(([room, allowed]) =>
      allowed === 'all'
        ? []
        : allowed
            .filter(
              (name) =>
                !imports.some(
                  ({ from, to }) => roomOf(from) === room && (roomOf(to) === name || to.replace(/\.ts$/, '') === name),
                ),
            )
            .map((name) => `${room} → ${name}`),
    );
    expect(unused).toEqual([]);
  });

  it('docs/model.md has the same table', () => {
    const text = readFileSync(join(sources, '..', 'docs/model.md'), 'utf8');
    const rows = [...text.matchAll(/^\| \*\*(\w+)(?:\/|\.ts)\*\* \|[^|]*\| ([^|]*) \|$/gm)].map((row) => [
      row[1],
      row[2],
    ]);
    const words = (allowed: readonly string[] | 'all'): string =>
      allowed === 'all' ? 'everything' : allowed.length === 0 ? 'nothing' : allowed.join(', ');
    expect(rows).toEqual(Object.entries(rooms).map(([room, allowed]) => [room, words(allowed)]));
  });

  it('the library knows nothing of cli/ and index.ts', () => {
    expect(
      imports
        .filter(({ from, to }) => (roomOf(to) === 'cli' || to === 'index.ts') && roomOf(from) !== 'cli')
        .map(({ from, to }) => `${from} → ${to}`),
    ).toEqual([]);
  });
});

it('every import names a file that exists, with its ending', () => {
  expect(
    imports.filter(({ to }) => !files.includes(to) && !to.endsWith('.json')).map(({ from, to }) => `${from} → ${to}`),
  ).toEqual([]);
});

it('files do not import each other in a circle, not even for types', () => {
  const edges = new Map(files.map((file) => [file, imports.filter(({ from }) => from === file).map(({ to }) => to)]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, above: readonly string[]): void => {
    if (above.includes(file)) circles.push([...above.slice(above.indexOf(file)), file].join(' → '));
    if (done.has(file) || above.includes(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...above, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

it('only cli/ prints, reads the environment or sets an exit code', () => {
  const forbidden = /\bconsole\.|process\.(?:env|exit|exitCode|stdout|stderr)\b/;
  const found = files
    .filter((file) => roomOf(file) !== 'cli')
    .flatMap((file) =>
      withoutComments(readFileSync(join(sources, file), 'utf8'))
        .split('\n')
        .filter((line) => forbidden.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    );
  expect(found).toEqual([]);
});

function roomOf(file: string): string {
  const slash = file.indexOf('/');
  return slash < 0 ? file.replace(/\.ts$/, '') : file.slice(0, slash);
}

function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  for (const match of withoutComments(text).matchAll(
    /\b(?:import|export)\s+(?:type\s)?(?:[^'";]*?\sfrom\s+)?'(\.[^']+)'|\bimport\('(\.[^']+)'\)/g,
  )) {
    const target = match[1] ?? match[2];
    if (target !== undefined) found.push({ from: file, to: posix.join(dirname(file), target) });
  }
  return found;
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
}
