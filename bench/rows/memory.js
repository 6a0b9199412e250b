// @ts-check
import { generateTags } from '../backup/generate-tags.js';
import { startDiscardingRegistry } from '../lib/discarding-registry.js';

const mostMiB = 400;
const mostMiBForTags = 1024;

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'memory',
  about: 'the peak of every command that reads a backup of 100,000 images, and one of a million tags',
  measure: async (bench) => {
    const { file, images } = bench.backup('members');
    const tags = generateTags(bench.scale === 'full' ? 1_000_000 : 50_000);
    const registry = await startDiscardingRegistry();
    try {
      return [
        ...(await peaks(bench, `${images} images`, file, registry.host, mostMiB)),
        ...(await peaks(bench, `${tags.tags} tags`, tags.file, registry.host, mostMiBForTags)),
      ];
    } finally {
      await registry.stop();
    }
  },
};

/**
 * @param {import('../lib/bench.js').Bench} bench
 * @param {string} what
 * @param {string} file
 * @param {string} host of a registry that keeps nothing
 * @param {number} peakMiB
 * @returns {Promise<import('../lib/bench.js').Result[]>}
 */
async function peaks(bench, what, file, host, peakMiB) {
  const state = bench.fresh('push-state.json');
  const measured = await bench.race(
    [
      { name: 'list', command: bench.regtar('list', file) },
      { name: 'list --json', command: bench.regtar('list', file, '--json') },
      { name: 'inspect', command: bench.regtar('inspect', file) },
      { name: 'verify', command: bench.regtar('verify', file, '--no-progress') },
      {
        name: 'export --dry-run',
        command: bench.regtar('export', file, '/dev/null', '--format', 'registry', '--dry-run'),
      },
      { name: 'export as registry', command: bench.regtar('export', file, '/dev/null', '--format', 'registry', '-q') },
      {
        name: 'export with a report',
        command: bench.regtar(
          ...['export', file, '/dev/null', '--format', 'registry', '-q', '--no-source-hash'],
          ...['--report', bench.fresh('report.json')],
        ),
      },
      { name: 'export as oci', command: bench.regtar('export', file, '/dev/null', '--format', 'oci', '-q') },
      { name: 'export into a folder', command: bench.regtar('export', file, bench.fresh('layout'), '-q') },
      {
        name: 'push',
        command: bench.regtar('push', file, host, '--plain-http', '--anonymous', '--state', state, '-q'),
      },
    ],
    { exactly: 1 },
  );
  return measured.map((ours) => ({
    title: `${ours.name}, ${what}, memory`,
    ours,
    theirs: undefined,
    goal: { peakMiB },
  }));
}
