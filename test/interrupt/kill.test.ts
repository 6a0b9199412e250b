import { dirname } from 'node:path';
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { regtarDone } from '../e2e/support/regtar.ts';
import { snapshot } from '../e2e/support/snapshot.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { subjects, unfinished } from './support/outputs.ts';
import { startRegtar } from './support/start-regtar.ts';

const folder = temporaryFolder();
let source: string;
beforeAll(() => {
  source = generateBackup(
    {
      name: 'interrupt',
      images: 80,
      repositories: 10,
      bytes: 12_000_000,
      largestLayer: 2_000_000,
      multiArchRatio: 0.1,
    },
    folder.path,
  ).file;
});
afterAll(() => folder.remove());

/** Other moments in every run; a failure names its seed. */
const seed = Number(process.env['INTERRUPT_SEED'] ?? Date.now() % 1_000_000);
let state = seed;
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

describe('an export that is killed', () => {
  for (const { format, out: name, flags, checkWhatShows } of subjects) {
    it(`${format}: shows nothing that is not whole at ten random moments, and the rerun equals an undisturbed run`, async () => {
      const words = (out: string): string[] => ['export', source, out, '--format', format, ...flags];
      const undisturbed = folder.file(`${format}-whole`, name);
      mkdirSync(dirname(undisturbed));
      // It says a line for each blob and image, so moments are counted in steps of the work, whatever the machine is busy with.
      const steps = (await regtarDone([...words(undisturbed), '--events', 'jsonl'])).stderr.split('\n').length;
      const whole = snapshot(undisturbed);
      let killed = 0;
      // Five runs in a row, each on what the one before left, twice.
      for (const round of [1, 2]) {
        const out = folder.file(`${format}-${round}`, name);
        mkdirSync(dirname(out));
        for (let moment = 1; moment <= 5; moment++) {
          const step = 1 + Math.floor(steps * random());
          const run = startRegtar([...words(out), '--events', 'jsonl']);
          await run.said(step);
          run.kill('SIGKILL');
          const { code, stderr } = await run.ended;
          expect([0, 137], stderr).toContain(code);
          if (code === 137) killed++;
          await checkWhatShows(out, whole).catch((cause: unknown) => {
            throw new Error(`after step ${step} (seed ${seed}, round ${round}, moment ${moment})`, { cause });
          });
        }
        await regtarDone(words(out));
        expect(snapshot(out), `seed ${seed}`).toEqual(whole);
        expect(unfinished(dirname(out))).toEqual([]);
      }
      expect(killed).toBeGreaterThan(5);
    });
  }
});
