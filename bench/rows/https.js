// @ts-check
import { mkdirSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { quoted, shell } from '../lib/run-command.js';
import { startDelay, startNginx } from '../lib/start-server.js';

/** So far away is the server of the second row, in milliseconds for each request. */
const distance = 20;

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'https',
  about:
    'list and export of a tar on nginx: part of its bytes, 20 ms away, against curl to a file and an export of that',
  measure: async (bench) => {
    const { file, bytes } = bench.backup('scale');
    const nginx = await startNginx(bench.fresh('https-nginx'), dirname(file));
    const far = await startDelay(nginx.url, distance);
    const at = (/** @type {string} */ url) => `${url}/${basename(file)}`;
    try {
      nginx.sent();
      const [near, away] = await bench.race(
        [
          { name: 'list', command: bench.regtar('list', at(nginx.url)) },
          { name: `list, ${distance} ms away`, command: bench.regtar('list', at(far.url)) },
        ],
        { exactly: 1 },
      );
      // Two lists, which ask for the same.
      const { requests, bytes: sent } = nginx.sent();
      const percent = (100 * sent) / 2 / bytes;
      if (!near || !away) return [];
      const asked = `${Math.round(requests / 2)} requests, ${Math.round(sent / 2e6)} of ${Math.round(bytes / 1e6)} MB`;
      return [
        { title: 'list, bytes read', ours: near, theirs: undefined, goal: { percent: 4 }, percent, remark: asked },
        { title: `list, ${distance} ms away`, ours: away, theirs: undefined, goal: { seconds: 53 } },
        { title: 'list, memory', ours: near, theirs: undefined, goal: { peakMiB: 200 } },
        ...(await exporting(bench, at(nginx.url))),
      ];
    } finally {
      await far.stop();
      await nginx.stop();
    }
  },
};

/** @param {import('../lib/bench.js').Bench} bench @param {string} address */
async function exporting(bench, address) {
  const out = bench.fresh('https-out');
  const copy = bench.fresh('https-copy.tar');
  const clear = () => {
    rmSync(out, { recursive: true, force: true });
    rmSync(copy, { force: true });
    mkdirSync(dirname(out), { recursive: true });
  };
  const byHand = `curl -sSf -o ${quoted([copy])} ${quoted([address])} && ${quoted(bench.regtar('export', copy, out, '-q').argv)}`;
  const [ours, theirs] = await bench.race(
    [
      { name: 'export', command: bench.regtar('export', address, out, '-q'), prepare: bench.settle, cleanUp: clear },
      { name: 'curl, then export of the file', command: shell(byHand), prepare: bench.settle, cleanUp: clear },
    ],
    { repetitions: 1 },
  );
  return ours && theirs
    ? [
        { title: 'export', ours, theirs, goal: { atMost: 1.2 } },
        { title: 'export, memory', ours, theirs: undefined, goal: { peakMiB: 200 } },
      ]
    : [];
}
