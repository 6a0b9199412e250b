import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type Pair } from 'yaml';
import { RegtarError, systemErrorCode, systemReason } from '../../errors.ts';

/** The name that is looked for in the working directory. */
const settingsFile = 'regtar.yaml';

/** What one line of a settings file says. */
export interface FileValue {
  /** Lists keep their items; everything else is one value. */
  readonly value: string | boolean | readonly string[];
  readonly line: number;
}

/** A settings file as it was read, before any command asks for its values. */
export interface SettingsFile {
  readonly path: string;
  /** For every command that knows them. */
  readonly common: ReadonlyMap<string, FileValue>;
  /** For one command alone, by its name. */
  readonly sections: ReadonlyMap<string, { readonly line: number; readonly values: ReadonlyMap<string, FileValue> }>;
}

const mostBytes = 1024 * 1024;

/**
 * Reads `regtar.yaml`, or the file that `--config` names.
 * @returns undefined where none was named and none is there
 * @throws RegtarError CONFIG_INVALID with the line
 */
export function readSettingsFile(named: string | undefined): SettingsFile | undefined {
  const path = named ?? settingsFile;
  const text = readText(path, named !== undefined);
  if (text === undefined) return undefined;
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (node: Node | null | undefined): number => lines.linePos(node?.range?.[0] ?? 0).line;
  const [error] = document.errors;
  if (error) throw invalid(path, lines.linePos(error.pos[0]).line, error.message);
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return { path, common: new Map(), sections: new Map() };
  if (!isMap(root)) throw invalid(path, lineOf(root), 'settings are written as `name: value`');

  const common = new Map<string, FileValue>();
  const sections = new Map<string, { line: number; values: Map<string, FileValue> }>();
  for (const pair of root.items) {
    const { name, line } = keyOf(pair, path, lineOf);
    if (isMap(pair.value)) {
      const values = pair.value.items.map((item): [string, FileValue] => {
        const key = keyOf(item, path, lineOf);
        return [key.name, { value: valueOf(item, path, key.line), line: key.line }];
      });
      sections.set(name, { line, values: new Map(values) });
    } else common.set(name, { value: valueOf(pair, path, line), line });
  }
  return { path, common, sections };
}

/** The error for one line of a settings file. */
export function invalid(path: string, line: number, message: string, hint?: string): RegtarError {
  return new RegtarError('CONFIG_INVALID', `${path}:${line}: ${message}`, { where: { path }, hint });
}

function readText(path: string, isNamed: boolean): string | undefined {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > mostBytes) throw invalid(path, 1, 'settings of more than 1 MiB are not read');
    return bytes.toString('utf8');
  } catch (cause) {
    if (cause instanceof RegtarError) throw cause;
    if (!isNamed && systemErrorCode(cause) === 'ENOENT') return undefined;
    throw new RegtarError('CONFIG_INVALID', `${path} cannot be read: ${systemReason(cause)}`, {
      where: { path },
      cause,
    });
  }
}

function keyOf(
  pair: Pair,
  path: string,
  lineOf: (node: Node) => number,
): { readonly name: string; readonly line: number } {
  const key = pair.key as Node;
  const line = lineOf(key);
  if (!isScalar(key)) throw invalid(path, line, 'the name of a setting is one word');
  return { name: String(key.value), line };
}

function valueOf(pair: Pair, path: string, line: number): FileValue['value'] {
  const node = pair.value;
  if (isSeq(node)) return node.items.map((item) => scalarText(item, path, line));
  if (isScalar(node) && typeof node.value === 'boolean') return node.value;
  return scalarText(node, path, line);
}

function scalarText(node: unknown, path: string, line: number): string {
  if (!isScalar(node) || node.value === null) throw invalid(path, line, 'there is no value');
  // The text as written: 1.10 is a version and not the number 1.1.
  if (typeof node.value === 'number') return node.source ?? String(node.value);
  if (typeof node.value === 'string') return node.value;
  throw invalid(path, line, 'a word, a number or a list of them was expected');
}
