import type { NumberedLine } from '../io/read-lines.ts';

/** One row of a table; NULL is undefined. `columns` is undefined where the dump does not name them. */
export interface TableRow {
  readonly table: string;
  readonly columns: readonly string[] | undefined;
  readonly values: readonly (string | undefined)[];
  /** Of the row's beginning, from 1. */
  readonly line: number;
}

/** More than this is not a row of a table that names images. */
const longestStatement = 64 * 1024 * 1024;

/**
 * Reads rows out of a plain dump: `COPY … FROM stdin` blocks and `INSERT INTO` statements, with or without column
 * names, of one row or many.
 * @param fail makes the error for a line that cannot be read
 * @see PostgreSQL, pg_dump (--inserts, --column-inserts, --rows-per-insert) and COPY, "Text Format"
 */
export async function* readTableRows(
  lines: AsyncIterable<NumberedLine>,
  tables: ReadonlySet<string>,
  fail: (line: number, reason: string) => Error,
): AsyncGenerator<TableRow> {
  const created = new Map<string, string[]>();
  let copy:
    { readonly table: string; readonly columns: readonly string[] | undefined; readonly isWanted: boolean } | undefined;
  let creating: string[] | undefined;
  let insert:
    | { readonly table: string; readonly line: number; text: string; isQuoted: boolean; readonly isWanted: boolean }
    | undefined;
  let last = 0;
  for await (const { number, text } of lines) {
    last = number;
    if (copy !== undefined) {
      if (text === '\\.') copy = undefined;
      else if (copy.isWanted)
        yield {
          table: copy.table,
          columns: copy.columns ?? created.get(copy.table),
          values: text.split('\t').map(copyValue),
          line: number,
        };
      continue;
    }
    if (insert === undefined) {
      const start = /^INSERT INTO\s+(?:ONLY\s+)?([\w".]+)/i.exec(text);
      if (start !== null) {
        const table = tableName(start[1] ?? '');
        insert = { table, line: number, text: '', isQuoted: false, isWanted: tables.has(table) };
      }
    }
    if (insert !== undefined) {
      // Only quotes decide whether a line end is part of a value; a doubled one changes nothing.
      insert.isQuoted = endsQuoted(text, insert.isQuoted);
      if (insert.isWanted) insert.text += `${text}\n`;
      if (insert.text.length > longestStatement) throw fail(insert.line, 'a statement does not end');
      if (insert.isQuoted || !text.trimEnd().endsWith(';')) continue;
      if (insert.isWanted) yield* insertRows(insert, created, fail);
      insert = undefined;
      continue;
    }
    if (creating !== undefined) {
      const column = /^\s*"?(\w+)"?\s/.exec(text)?.[1];
      if (/^\s*\)/.test(text)) creating = undefined;
      else if (column !== undefined && !/^(?:CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN|EXCLUDE)$/.test(column))
        creating.push(column);
      continue;
    }
    const copying = /^COPY\s+([\w".]+)\s*(?:\(([^)]*)\))?\s*FROM\s+stdin/i.exec(text);
    if (copying !== null) {
      const table = tableName(copying[1] ?? '');
      copy = {
        table,
        columns: copying[2] === undefined ? undefined : columnNames(copying[2]),
        isWanted: tables.has(table),
      };
    }
    const table = /^CREATE TABLE\s+(?:IF NOT EXISTS\s+)?([\w".]+)\s*\(\s*$/i.exec(text)?.[1];
    if (table !== undefined && tables.has(tableName(table))) created.set(tableName(table), (creating = []));
  }
  if (insert?.isWanted === true) throw fail(insert.line, 'a statement does not end');
  if (copy?.isWanted === true) throw fail(last, `the rows of ${copy.table} do not end: the dump was cut`);
}

function* insertRows(
  { table, line, text }: { readonly table: string; readonly line: number; readonly text: string },
  created: ReadonlyMap<string, readonly string[]>,
  fail: (line: number, reason: string) => Error,
): Generator<TableRow> {
  const head =
    /^INSERT INTO\s+(?:ONLY\s+)?[\w".]+\s*(?:\(([^)]*)\)\s*)?(?:OVERRIDING\s+\w+\s+VALUE\s+)?VALUES\s*/i.exec(text);
  if (head === null) throw fail(line, 'an INSERT statement cannot be read');
  const columns = head[1] === undefined ? created.get(table) : columnNames(head[1]);
  let at = head[0].length;
  for (;;) {
    const row = readTuple(text, at);
    if (row === undefined) throw fail(line, 'the values of an INSERT statement cannot be read');
    yield { table, columns, values: row.values, line };
    const separator = /\s*([,;]|ON\s)/iy;
    separator.lastIndex = row.end;
    const found = separator.exec(text);
    if (found?.[1] !== ',') return;
    at = separator.lastIndex;
  }
}

/** `(1, 'text', NULL, E'a\nb')`. */
function readTuple(
  text: string,
  from: number,
): { readonly values: (string | undefined)[]; readonly end: number } | undefined {
  const token =
    /\s*(?:E'([^'\\]*(?:(?:''|\\[^])[^'\\]*)*)'|'([^']*(?:''[^']*)*)'|([^\s,()']+))(?:::[\w ]+)?\s*([,)])/iy;
  const open = /\s*\(/y;
  open.lastIndex = from;
  if (open.exec(text) === null) return undefined;
  const values: (string | undefined)[] = [];
  token.lastIndex = open.lastIndex;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, escaped, quoted, bare, separator] = match;
    if (escaped !== undefined) values.push(unquote(escaped).replaceAll(/\\(.)/gs, '$1'));
    else if (quoted !== undefined) values.push(unquote(quoted));
    else values.push(bare?.toUpperCase() === 'NULL' ? undefined : bare);
    if (separator === ')') return { values, end: token.lastIndex };
  }
  return undefined;
}

function unquote(text: string): string {
  return text.replaceAll("''", "'");
}

function endsQuoted(text: string, isQuoted: boolean): boolean {
  let state = isQuoted;
  for (let at = text.indexOf("'"); at >= 0; at = text.indexOf("'", at + 1)) state = !state;
  return state;
}

const copyEscapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

function copyValue(text: string): string | undefined {
  if (text === '\\N') return undefined;
  return text.includes('\\')
    ? text.replaceAll(/\\(.)/gs, (_all, character: string) => copyEscapes[character] ?? character)
    : text;
}

function tableName(text: string): string {
  return text.replaceAll('"', '').replace(/^public\./, '');
}

function columnNames(text: string): string[] {
  return text.split(',').map((column) => column.trim().replaceAll('"', ''));
}
