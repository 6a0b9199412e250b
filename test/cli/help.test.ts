import { describe, expect, it } from 'vitest';
import { errorHelp } from '../../src/cli/help/error-codes.ts';
import { topics } from '../../src/cli/help/topics.ts';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';

describe('regtar help', () => {
  it('explains an error code, however it is written', async () => {
    for (const word of ['BLOB_MISSING', 'blob_missing']) {
      const { stdout } = await regtarDone(['help', word]);
      expect(stdout.split('\n')[0]).toBe('BLOB_MISSING');
      expect(stdout.replaceAll('\n', ' ')).toContain(errorHelp.BLOB_MISSING.cause);
      expect(stdout.replaceAll('\n', ' ')).toContain(`What to do: ${errorHelp.BLOB_MISSING.remedy}`);
    }
  });

  it('names every topic, and prints each within 80 columns', async () => {
    const overview = (await regtarDone(['help'])).stdout;
    for (const [name, { about, text }] of Object.entries(topics)) {
      expect(overview.split('\n')).toContain(`  ${name.padEnd(12)}${about}`);
      const { stdout } = await regtarDone(['help', name]);
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
      // The text is printed without the spaces around it, which would pull its first line out of a table.
      expect(text).toMatch(/^\n\S/);
      expect(stdout.trim()).not.toBe('');
    }
  });

  it('prints the help of a command', async () => {
    const [fromHelp, fromOption] = await Promise.all([
      regtarDone(['help', 'verify']),
      regtarDone(['verify', '--help']),
    ]);
    expect(fromHelp.stdout).toBe(fromOption.stdout);
  });

  it.each([
    ['formts', 'formats'],
    ['verfy', 'verify'],
    ['BLOB_MISING', 'BLOB_MISSING'],
  ])('asked about %s, offers %s', async (word, close) => {
    const { code, stderr } = await regtar(['help', word]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `regtar: USAGE: there is no help about ${word}\nhint: did you mean ${close}?\n`,
    });
  });
});
