// @ts-check

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'inspect',
  about: 'inspect against tar -tf of the same file, warm cache',
  measure: async (bench) => {
    const { file } = bench.backup('scale');
    const [ours, theirs] = await bench.race(
      [
        { name: 'inspect', command: bench.regtar('inspect', file) },
        { name: 'tar -tf', command: { argv: ['tar', '-tf', file] } },
      ],
      { warmUp: true, repetitions: 7 },
    );
    return ours && theirs
      ? [
          { title: 'inspect', ours, theirs, goal: { atMost: 1.5 } },
          { title: 'inspect, memory', ours, theirs: undefined, goal: { peakMiB: 200 } },
        ]
      : [];
  },
};
