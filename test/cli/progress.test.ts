import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMeter, type Reading } from '../../src/cli/progress/meter.ts';
import { createTimeLeft } from '../../src/cli/progress/time-left.ts';
import { renderCopySummary } from '../../src/cli/render/copy-summary.ts';
import { renderProgress, renderProgressLine } from '../../src/cli/render/progress.ts';
import type { ImageResult } from '../../src/copy/events.ts';
import { makeDigest, type Digest } from '../../src/oci/digest.ts';
import { regtar } from '../e2e/support/regtar.ts';
import { program } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const digest = (character: string): Digest => makeDigest('sha256', character.repeat(64)) as Digest;
const resultOf = (status: ImageResult['status'], tag: string): ImageResult => ({
  repository: 'team/app',
  tag,
  digest: digest('a'),
  target: undefined,
  status,
});

describe('the time that is left', () => {
  /** Runs a transfer of 100 s at a mean of 10 MB/s and watches what a person would see, twice a second. */
  const watch = (bytesIn: (half: number) => number): { readonly truth: number; readonly shown: number }[] => {
    const speeds = Array.from({ length: 200 }, (_, half) => bytesIn(half));
    const all = speeds.reduce((sum, bytes) => sum + bytes, 0);
    const timeLeft = createTimeLeft();
    const seen: { truth: number; shown: number }[] = [];
    let done = 0;
    timeLeft.sample(0, 0, all);
    speeds.forEach((bytes, half) => {
      done += bytes;
      timeLeft.sample((half + 1) / 2, done, all - done);
      const shown = timeLeft.secondsLeft();
      if (shown !== undefined) seen.push({ truth: 100 - (half + 1) / 2, shown });
    });
    return seen;
  };

  it('does not jump when bytes come in bursts of a big layer and pauses of many small ones', () => {
    const seen = watch((half) => (Math.floor(half / 8) % 2 === 0 ? 9_500_000 : 500_000));
    const steps = seen.slice(1).map(({ shown }, index) => shown - (seen[index]?.shown ?? 0));
    // The clock takes half a second each time; everything beyond that is a correction.
    expect(Math.max(...steps)).toBeLessThan(4);
    expect(Math.min(...steps)).toBeGreaterThan(-5);
  });

  it('is right to a fifth once a tenth is done, and comes down to nothing', () => {
    const seen = watch((half) => 5_000_000 + (half % 7) * 100_000);
    for (const { truth, shown } of seen.filter(({ truth }) => truth < 90 && truth > 2))
      expect(shown / truth).toBeGreaterThan(0.8);
    for (const { truth, shown } of seen.filter(({ truth }) => truth < 90 && truth > 2))
      expect(shown / truth).toBeLessThan(1.2);
    expect(seen.at(-1)?.shown).toBe(0);
  });

  it('says nothing before there is something to judge by, and nothing while no byte moves', () => {
    const timeLeft = createTimeLeft();
    for (const seconds of [0, 1, 2]) timeLeft.sample(seconds, seconds * 1000, 1_000_000);
    expect(timeLeft.secondsLeft()).toBeUndefined();
    const stuck = createTimeLeft();
    for (let seconds = 0; seconds < 20; seconds++) stuck.sample(seconds, 0, 1_000_000);
    expect([stuck.secondsLeft(), stuck.rate()]).toEqual([undefined, 0]);
  });

  it('says nothing while nothing moves, and goes on when something does', () => {
    const timeLeft = createTimeLeft();
    for (let second = 0; second <= 60; second++) timeLeft.sample(second, second * 1000, 1_000_000 - second * 1000);
    expect(timeLeft.secondsLeft()).toBeGreaterThan(0);
    for (let second = 61; second <= 80; second++) timeLeft.sample(second, 60_000, 940_000);
    expect(timeLeft.secondsLeft()).toBeUndefined();
    for (let second = 81; second <= 82; second++) timeLeft.sample(second, second * 1000, 900_000);
    expect(timeLeft.secondsLeft()).toBeGreaterThan(0);
  });

  it('notices within seconds that everything became slower', () => {
    const timeLeft = createTimeLeft();
    let done = 0;
    for (let second = 0; second <= 60; second++)
      timeLeft.sample(second, (done = second * 10_000_000), 6_000_000_000 - done);
    const before = timeLeft.secondsLeft() ?? 0;
    for (let second = 61; second <= 90; second++) timeLeft.sample(second, (done += 1_000_000), 6_000_000_000 - done);
    expect(timeLeft.rate()).toBeLessThan(1_500_000);
    expect(timeLeft.secondsLeft()).toBeGreaterThan(before * 1.3);
  });
});

describe('the meter', () => {
  it('counts each blob once, takes retries back, and knows what is under way', () => {
    const meter = createMeter();
    meter.follow({ type: 'start', images: 3, blobs: 2, bytes: 150 });
    meter.follow({ type: 'image-start', repository: 'team/app', tag: 'v1', digest: digest('a') });
    meter.follow({ type: 'image-start', repository: 'team/app', tag: undefined, digest: digest('b') });
    meter.follow({ type: 'bytes', bytes: 60 });
    meter.follow({ type: 'bytes', bytes: -20 });
    expect(meter.reading()).toMatchObject({
      bytes: { all: 150, done: 40 },
      underWay: ['team/app:v1', `team/app@${digest('b')}`],
    });
    meter.follow({ type: 'bytes', bytes: 60 });
    meter.follow({ type: 'blob', digest: digest('1'), size: 100, outcome: 'written', isFirst: true });
    meter.follow({ type: 'blob', digest: digest('1'), size: 100, outcome: 'mounted', isFirst: false });
    meter.follow({ type: 'blob', digest: digest('2'), size: 50, outcome: 'present', isFirst: true });
    meter.follow({ type: 'image', result: resultOf('copied', 'v1') });
    meter.follow({ type: 'image', result: resultOf('skipped', 'v2') });
    meter.follow({ type: 'image', result: resultOf('failed', 'v3') });
    expect(meter.reading()).toMatchObject({
      images: { all: 3, done: 3, present: 0, skipped: 1, failed: 1 },
      bytes: { all: 150, done: 150 },
      spared: 150,
    });
  });
});

const reading: fc.Arbitrary<Reading> = fc.record({
  images: fc.record({
    all: fc.nat(9_999_999),
    done: fc.nat(9_999_999),
    present: fc.nat(9_999_999),
    skipped: fc.nat(99_999),
    failed: fc.nat(99_999),
  }),
  bytes: fc.record({ all: fc.nat(2 ** 50), done: fc.nat(2 ** 50) }),
  spared: fc.nat(2 ** 50),
  bytesPerSecond: fc.nat(2 ** 40),
  secondsLeft: fc.option(fc.nat(400_000), { nil: undefined }),
  underWay: fc.array(fc.stringMatching(/^[a-z0-9/:.]{1,200}$/), { maxLength: 40 }),
});

describe('what is drawn', () => {
  it('never has a line longer than the terminal is wide, whatever the figures', () => {
    fc.assert(
      fc.property(reading, fc.integer({ min: 40, max: 200 }), (each, columns) => {
        const { counts, names } = renderProgress(each, columns);
        expect(Math.max(counts.length, names.length)).toBeLessThanOrEqual(columns);
        expect(renderProgressLine(each).length).toBeLessThanOrEqual(80);
      }),
    );
  });

  it('keeps what matters most where not everything fits', () => {
    const full = {
      images: { all: 51_840, done: 12_034, present: 1000, skipped: 12, failed: 3 },
      bytes: { all: 3.1e12, done: 1.4e12 },
      spared: 6.2e11,
      bytesPerSecond: 45e6,
      secondsLeft: 37_790,
      underWay: ['team/app:v1', 'team/web:v2'],
    };
    expect(renderProgress(full, 79)).toEqual({
      numbers: '1.4 TB of 3.1 TB  45 MB/s  10 h 30 m left',
      counts: '12,034/51,840, 1,000 present, 12 skipped, 3 failed, 620 GB mounted or present',
      names: 'team/app:v1, team/web:v2',
    });
    expect(renderProgress(full, 50).counts).toBe('12,034/51,840, 1,000 present, 12 skipped, 3 failed');
    expect(renderProgress({ ...full, underWay: [`${'deep/'.repeat(30)}app:v1`, 'b:1'] }, 40).names).toBe(
      '…p/deep/deep/deep/deep/app:v1 and 1 more',
    );
  });

  it('ends with one line', () => {
    const images = [
      ...Array.from({ length: 5184 }, (_, index) => resultOf(index < 5000 ? 'present' : 'copied', `v${index}`)),
      resultOf('failed', 'x'),
      resultOf('failed', 'y'),
    ];
    expect(
      renderCopySummary(
        { images, blobs: { copied: 1, present: 1, mounted: 1, bytes: 3.1e9, spared: 6.2e9 }, seconds: 240 },
        { command: 'push', seconds: 250 },
      ),
    ).toBe('5,184 images (5,000 present): 3.1 GB sent, 6.2 GB mounted or already there, 2 failed, 4 m 10 s');
    const blobs = { copied: 1, present: 0, mounted: 0, bytes: 5, spared: 0 };
    const one = { images: [resultOf('copied', 'x')], blobs, seconds: 1 };
    expect(renderCopySummary(one, { command: 'export', seconds: 1 })).toBe('1 image: 5 B written, 1.0 s');
  });
});

interface Event {
  readonly event: string;
  readonly time: string;
  readonly [field: string]: unknown;
}

describeWith(['docker-registry', 'script'], 'a push that is watched', () => {
  let registry: Registry;
  let backup: string;
  beforeAll(async () => {
    registry = await startRegistry();
    backup = generateBackup({ images: 16, repositories: 4, bytes: 4_000_000 }, folder.path).file;
  });
  afterAll(() => registry.stop());

  it('draws at most 79 of 80 columns, and leaves the cursor, line wrap and one line of summary behind', async () => {
    const { stdout } = await run(
      'script',
      [
        '-qefc',
        `stty cols 80 rows 24; exec "${process.execPath}" "${program}" push "${backup}" ${registry.host}/drawn`,
        '/dev/null',
      ],
      { env: { TERM: 'xterm', NO_COLOR: '1', HOME: folder.path } },
    );
    const drawn = stdout.split(/\r?\n|\u001b\[[0-9;?]*[A-Za-z]|\r/).filter((text) => text !== '');
    expect(drawn.some((text) => /^[#-]{16} {2}[ 0-9]{3} % {2}.* of .* {2}.*\/s/.test(text))).toBe(true);
    expect(drawn.some((text) => /^\d+ of 16 images/.test(text))).toBe(true);
    expect(Math.max(...drawn.map(({ length }) => length))).toBeLessThanOrEqual(79);
    expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'));
    expect(stdout.lastIndexOf('\u001b[?7h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?7l'));
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
      /16 images: [\d.]+ MB sent, [\d.]+ MB mounted or already there, [\d.]+ s$/,
    );
  });

  it('writes no escape where standard error is not a terminal, or a dumb one', async () => {
    const piped = await regtar(['push', backup, `${registry.host}/piped`]);
    expect(piped.stderr).not.toContain('\u001b');
    const dumb = await run(
      'script',
      ['-qefc', `exec "${process.execPath}" "${program}" push "${backup}" ${registry.host}/dumb`, '/dev/null'],
      { env: { TERM: 'dumb', HOME: folder.path } },
    );
    expect(dumb.stdout).not.toContain('\u001b');
    expect(dumb.stdout).toContain('16 images');
  });

  it('tells a wrapper everything in lines of JSON that add up to the report', async () => {
    const { code, stdout, stderr } = await regtar([
      'push',
      backup,
      `${registry.host}/told`,
      '--json',
      '--events',
      'jsonl',
    ]);
    const report = JSON.parse(stdout) as { images: Record<string, unknown>[]; blobs: Record<string, number> };
    const events = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Event);
    const named = (name: string): Event[] => events.filter(({ event }) => event === name);
    expect(code).toBe(0);
    for (const { time } of events) expect(new Date(time).toISOString()).toBe(time);
    expect(events.at(-1)).toMatchObject({ event: 'end', exitCode: 0 });
    expect(named('start')).toMatchObject([{ images: 16 }]);
    const results = new Map(
      named('image').map(({ event: _event, time: _time, ...result }) => [
        `${String(result['repository'])}:${String(result['tag'])}`,
        result,
      ]),
    );
    expect(results).toEqual(
      new Map(report.images.map((result) => [`${String(result['repository'])}:${String(result['tag'])}`, result])),
    );
    expect(named('image-start')).toHaveLength(16);
    const blobs = named('blob') as unknown as { size: number; outcome: string; first: boolean }[];
    const sum = (of: typeof blobs): number => of.reduce((total, { size }) => total + size, 0);
    const written = blobs.filter(({ outcome }) => outcome === 'written');
    expect(report.blobs).toEqual({
      copied: written.length,
      bytes: sum(written),
      mounted: blobs.filter(({ outcome }) => outcome === 'mounted').length,
      present: blobs.filter(({ outcome, first }) => outcome === 'present' && first).length,
      spared: sum(blobs) - sum(written),
    });
    expect(sum(blobs.filter(({ first }) => first))).toBe(named('start')[0]?.['bytes']);
    expect(named('summary')).toMatchObject([
      { images: { copied: 16, present: 0, skipped: 0, failed: 0 }, blobs: report.blobs },
    ]);
    expect(named('progress').length).toBeGreaterThan(0);
  });
});

it('a failure is an event with its code and hint, and the exit code comes last', async () => {
  const { code, stderr } = await regtar([
    'export',
    fixturePath,
    folder.file('out'),
    '--split',
    'image',
    '--events',
    'jsonl',
  ]);
  const events = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
  expect(code).toBe(2);
  expect(events).toMatchObject([
    { event: 'error', code: 'USAGE', hint: 'name an OUT that ends in .tar' },
    { event: 'end', exitCode: 2 },
  ]);
});

it('what a person would be told comes as events too, and verify tells how far it is', async () => {
  const { stderr } = await regtar(['verify', fixturePath, '--events', 'jsonl']);
  const events = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
  expect(events.map(({ event }) => event)).toEqual(['start', 'progress', 'end']);
});
