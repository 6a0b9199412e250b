// @ts-check

/** @type {import('../lib/bench.js').Row} */
export const row = {
  name: 'start-up',
  about: 'regtar --version against node -e 0',
  measure: async (bench) => {
    const [ours, theirs] = await bench.race(
      [
        { name: '--version', command: bench.regtar('--version') },
        { name: 'node -e 0', command: { argv: [process.execPath, '-e', '0'] } },
      ],
      { warmUp: true, repetitions: 15 },
    );
    return ours && theirs ? [{ title: 'start-up', ours, theirs, goal: { atMost: 1.5 } }] : [];
  },
};
