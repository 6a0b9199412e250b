// @ts-check
import { execFileSync } from 'node:child_process';
import { generateBackup } from '../backup/generate-backup.js';
import { presets } from '../backup/parameters.js';
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
  // What is inspected are manifests: 5,000 images with next to nothing in their layers.
  const { file } = generateBackup(presets[bench.scale === 'full' ? 'members-small' : 'push-small']);
  const layout = makeLayout(bench, file, 'layout');
  const [folder, theirs] = await bench.race(
    [
      { name: 'inspect of the layout', command: bench.regtar('inspect', layout) },
      { name: "inspect of the registry's tar", command: bench.regtar('inspect', file) },
    ],
    { warmUp: true, repetitions: 5 },
  );
  remove(layout);
  const archive = makeLayout(bench, file, 'layout.tar');
  const [packed, again] = await bench.race(
    [
      { name: 'inspect of the layout, a tar', command: bench.regtar('inspect', archive) },
      { name: "inspect of the registry's tar", command: bench.regtar('inspect', file) },
    ],
    { warmUp: true, repetitions: 5 },
  );
  remove(archive);
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
  remove(layout);
  return [{ title: 'push of a layout', ours, theirs, goal: { atMost: 1 } }];
}

/** Node takes minutes for folders of this size. @param {string} path */
function remove(path) {
  execFileSync('rm', ['-rf', path]);
}

/** @param {import('../lib/bench.js').Bench} bench @param {string} file @param {string} name */
function makeLayout(bench, file, name) {
  const out = bench.fresh(name);
  const { argv } = bench.regtar('export', file, out, '-q');
  execFileSync(argv[0] ?? '', argv.slice(1));
  return out;
}
