// @ts-check
import { isBuiltin } from 'node:module';

const prefix = '\0builtin:';

/**
 * Loads Node's own modules when the code that uses them runs. In one file every import stands at the top otherwise, and `--version`
 * would wait for TLS and HTTP.
 * @returns {import('rolldown').Plugin}
 */
export function lazyBuiltins() {
  return {
    name: 'regtar:lazy-builtins',
    resolveId: {
      order: 'pre',
      // The bundle itself begins with `createRequire`, before anything could be loaded lazily.
      handler: (id) => (id !== 'node:module' && isBuiltin(id) ? prefix + id : undefined),
    },
    load: (id) =>
      id.startsWith(prefix)
        ? `module.exports = process.getBuiltinModule(${JSON.stringify(id.slice(prefix.length))});`
        : undefined,
  };
}
