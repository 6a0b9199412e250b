// @ts-check
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { startRegistry } from '../lib/registry.js';
import { runOnce, unmeasured } from '../lib/run-once.js';

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'oci',
  about: "inspect and push of an OCI layout against the registry's tar of the same content, warm cache",
  measure: async (bench) => [...(await inspecting(bench)), ...(await pushing(bench))],
};

/** @param {import('../lib/bench.js').Bench} bench */
async function inspecting(bench) {
  const { file } = bench.backup('scale');
  const layout = makeLayout(bench, file, 'layout');
  const [folder, theirs] = await bench.race(
    [
      { name: 'inspect of the layout', command: bench.regtar('inspect', layout) },
      { name: "inspect of the registry's tar", command: bench.regtar('inspect', file) },
    ],
    { warmUp: true, repetitions: 5 },
  );
  rmSync(layout, { recursive: true, force: true });
  const archive = makeLayout(bench, file, 'layout.tar');
  const [packed, again] = await bench.race(
    [
      { name: 'inspect of the layout, a tar', command: bench.regtar('inspect', archive) },
      { name: "inspect of the registry's tar", command: bench.regtar('inspect', file) },
    ],
    { warmUp: true, repetitions: 5 },
  );
  rmSync(archive, { force: true });
  if (!folder || !theirs || !packed || !again) return [];
  return [
    { title: 'inspect of a layout, folder', ours: folder, theirs, goal: { atMost: 1 } },
    { title: 'inspect of a layout, archive', ours: packed, theirs: again, goal: { atMost: 1 } },
    { title: 'inspect of a layout, memory', ours: folder, theirs: undefined, goal: { peakMiB: 200 } },
  ];
}

/** @param {import('../lib/bench.js').Bench} bench */
async function pushing(bench) {
  const { file } = bench.backup('push');
  const layout = makeLayout(bench, file, 'layout');
  const ours = unmeasured('push of the layout');
  const theirs = unmeasured("push of the registry's tar");
  for (let round = 0; round < (bench.repetitions ?? 3); round++)
    for (const [measured, source] of /** @type {const} */ ([
      [ours, layout],
      [theirs, file],
    ])) {
      const registry = await startRegistry(bench.fresh('oci-registry'));
      await runOnce(bench, measured, bench.regtar('push', '-q', '--plain-http', source, registry.host));
      await registry.stop();
    }
  rmSync(layout, { recursive: true, force: true });
  return [{ title: 'push of a layout', ours, theirs, goal: { atMost: 1 } }];
}

/** @param {import('../lib/bench.js').Bench} bench @param {string} file @param {string} name */
function makeLayout(bench, file, name) {
  const out = bench.fresh(name);
  const { argv } = bench.regtar('export', file, out, '-q');
  execFileSync(argv[0] ?? '', argv.slice(1));
  return out;
}
