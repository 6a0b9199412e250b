import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { holdInvariants } from './invariants.ts';
import { createRandom, mutations } from './mutate.ts';
import { makeSeeds } from './seeds.ts';

const seconds = Number(process.env['REGTAR_FUZZ_SECONDS'] ?? 5);
const firstSeed = Number(process.env['REGTAR_FUZZ_SEED'] ?? 1);
/** Exports cost most; the other invariants see every case. */
const casesPerExport = 4;

// Outputs are written through to the disk, which a file system in memory spares.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'regtar-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it(
  `for ${seconds} seconds from seed ${firstSeed}: damaged and forged archives are read alike, verified right, and exported whole or not at all`,
  async () => {
    const seeds = makeSeeds();
    const until = performance.now() + seconds * 1000;
    let cases = 0;
    for (let seed = firstSeed; performance.now() < until || cases < mutations.length; seed++, cases++) {
      const random = createRandom(seed);
      const origin = random.pick(seeds);
      // The first rounds take each mutation once, so that even a short run has seen them all.
      const chosen =
        cases < mutations.length
          ? [mutations[cases] as (typeof mutations)[number]]
          : Array.from({ length: 1 + random.below(2) }, () => random.pick(mutations));
      const bytes = chosen.reduce<Buffer>(
        (changed, { apply }) => (changed.length === 0 ? changed : apply(changed, random)),
        Buffer.from(origin.bytes),
      );
      const place = join(folder, String(seed));
      mkdirSync(place);
      try {
        await holdInvariants({
          bytes,
          images: origin.images,
          isNoticed: chosen.every(({ isNoticed }) => isNoticed),
          folder: place,
          isExported: cases % casesPerExport === 0,
        });
      } catch (error) {
        const kept = join(tmpdir(), `regtar-fuzz-${seed}.tar`);
        writeFileSync(kept, bytes);
        throw new Error(
          `seed ${seed} (${chosen.map(({ name }) => name).join(', ')}; the archive is ${kept}): ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        );
      }
      rmSync(place, { recursive: true, force: true });
    }
    if (process.env['REGTAR_FUZZ_SECONDS'] !== undefined)
      console.log(`${cases} cases, up to seed ${firstSeed + cases - 1}`);
    expect(cases).toBeGreaterThanOrEqual(mutations.length);
  },
  (seconds + 60) * 1000,
);
