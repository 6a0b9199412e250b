import { setFlagsFromString } from 'node:v8';

/** About ten times of what V8 uses, in bytes of its byte code: some milliseconds of work. */
const bytesBeforeOptimizing = 600_000;

/**
 * V8 optimizes a function after about a millisecond of work, in threads of its own. A command of seconds that waits for
 * a registry on the same machine loses more by that than it gains; what is really hot is optimized all the same, a
 * little later. From Node 22 on V8 has a cheaper compiler before that one, and no such flag.
 */
export function compileLate(): void {
  if (process.versions.node.startsWith('20.')) setFlagsFromString(`--interrupt-budget=${bytesBeforeOptimizing}`);
}
