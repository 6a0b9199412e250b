// Loaded with --import: writes which modules a run loaded, at its end, to the file that RECORD_MODULES names.
import { createRequire, register } from 'node:module';
import { appendFileSync } from 'node:fs';

const file = process.env['RECORD_MODULES'] ?? '';
const hooks = `
import { appendFileSync } from 'node:fs';
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(file)}, url + '\\n');
  return next(url, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

process.on('exit', () => {
  const { cache } = createRequire(import.meta.url);
  appendFileSync(
    file,
    Object.keys(cache)
      .map((path) => `${path}\n`)
      .join(''),
  );
});
