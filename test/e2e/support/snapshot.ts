import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Everything below a path: a digest for each file, by its path; `{}` where nothing is. Lock files of a run that ended are not part of an output. */
export function snapshot(path: string): Record<string, string> {
  if (!existsSync(path)) return {};
  if (!lstatSync(path).isDirectory()) return { '': digest(path) };
  const paths = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    paths.map((each) => [each, lstatSync(join(path, each)).isDirectory() ? 'folder' : digest(join(path, each))]),
  );
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
