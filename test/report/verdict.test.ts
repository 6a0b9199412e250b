import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderPage } from '../../src/report/page/render-page.ts';
import { reportPage } from '../../src/report/report-page.ts';
import { countImages, reportFileKind, type Report, type ReportImage } from '../../src/report/report.ts';
import { verdictOf } from '../../src/report/verdict.ts';
import { openBrowser, type Browser } from '../support/open-browser.ts';
import { describeWith } from '../support/peers.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

function report(images: readonly ReportImage[], more: Partial<Report> = {}): Report {
  return {
    kind: reportFileKind,
    version: 1,
    command: 'push',
    state: 'finished',
    started: '2026-03-01T10:00:00.000Z',
    ended: '2026-03-01T10:20:00.000Z',
    seconds: 1200,
    versions: { regtar: '1.2.3', node: '20.18.0', system: 'linux x64' },
    sources: [{ name: 'docker.tar', format: 'tar', bytes: 5_000_000_000, sha256: digestOf('tar').slice(7) }],
    target: { kind: 'registry', name: 'harbor.example.com', path: 'migrated' },
    totals: {
      images: countImages(images),
      blobs: { copied: 1, present: 1, mounted: 0, bytes: 4_000_000_000, spared: 100_000 },
    },
    images,
    ...more,
  };
}

function image(number: number, status: ReportImage['status'], more: Partial<ReportImage> = {}): ReportImage {
  const name = { repository: `platform/team-${number % 40}/component-${number}`, tag: `release-1.${number}.0` };
  const digest = digestOf(String(number));
  const isThere = status === 'copied' || status === 'present';
  return {
    ...name,
    digest,
    status,
    platforms: ['linux/amd64', 'linux/arm64/v8'],
    bytes: 12_345_678 * ((number % 9) + 1),
    ...(isThere && {
      arrived: { ...name, repository: `migrated/${name.repository}`, digest },
      ended: '2026-03-01T10:10:00.000Z',
    }),
    ...more,
  };
}

const images = (count: number, status: ReportImage['status'], from = 0): ReportImage[] =>
  Array.from({ length: count }, (_, index) => image(from + index, status));
const lost = (number: number): ReportImage =>
  image(number, 'failed', {
    error: {
      code: 'BLOB_MISSING',
      message: `component-${number} needs ${digestOf(`lost ${number}`)}, which is not in the backup`,
      hint: 'run `regtar verify` to list everything that this backup lacks',
    },
  });
const denied = image(900, 'failed', {
  error: { code: 'ACCESS_DENIED', message: 'the robot may not push to platform', hint: 'grant it push' },
});
const foreign = image(901, 'skipped', { error: { code: 'MANIFEST_UNSUPPORTED', message: 'a Helm chart' } });

it.each([
  ['all there', report([...images(30, 'copied'), ...images(5, 'present', 30)]), '35 of 35 images arrived', 'good'],
  ['one', report(images(1, 'copied')), '1 of 1 image arrived', 'good'],
  [
    'failed and skipped',
    report([...images(2000, 'copied'), lost(2000), foreign]),
    '2,000 of 2,002 images arrived, 1 failed, 1 skipped',
    'bad',
  ],
  ['skipped', report([...images(3, 'copied'), foreign]), '3 of 4 images arrived, 1 skipped', 'warn'],
  [
    'stopped',
    report([...images(3, 'copied'), ...images(4, 'unfinished', 3)], { state: 'interrupted' }),
    '3 of 7 images arrived, 4 unfinished',
    'bad',
  ],
  ['running', report(images(3, 'unfinished'), { state: 'running' }), '0 of 3 images arrived, 3 unfinished', 'warn'],
  [
    'a part',
    report(images(3, 'copied'), { shard: { index: 1, count: 4 } }),
    '3 of 3 images of part 1 of 4 arrived',
    'good',
  ],
  [
    'parts that are missing',
    report(images(3, 'copied'), { shards: { count: 4, missing: [2, 4] } }),
    '3 of 3 images arrived, parts 2, 4 of 4 missing',
    'bad',
  ],
  ['nothing', report([]), '0 of 0 images arrived', 'warn'],
] as const)('the verdict on %s', (_, of, text, tone) => {
  expect(verdictOf(of)).toMatchObject({ text, tone });
});

it('groups reasons by code with their counts: what ended the run, failures by number, what was left out', () => {
  const all = [...images(3, 'copied'), foreign, denied, lost(1), lost(2)];
  const error = { code: 'INTERRUPTED', message: 'stopped by Ctrl-C' };
  expect(verdictOf(report(all, { state: 'interrupted', error })).reasons).toEqual([
    { count: 'ended early', tone: 'bad', code: 'INTERRUPTED', text: 'stopped by Ctrl-C' },
    {
      count: '2 failed',
      tone: 'bad',
      code: 'BLOB_MISSING',
      text: expect.stringMatching(/^for example component-1 needs/) as string,
      hint: expect.stringContaining('regtar verify') as string,
    },
    {
      count: '1 failed',
      tone: 'bad',
      code: 'ACCESS_DENIED',
      text: 'the robot may not push to platform',
      hint: 'grant it push',
    },
    { count: '1 skipped', tone: 'warn', code: 'MANIFEST_UNSUPPORTED', text: 'a Helm chart' },
  ]);
});

describeWith('chromium', 'the report page, read and printed', () => {
  let browser: Browser;
  const urlOf = (name: string, all: readonly ReportImage[]): string => {
    writeFileSync(folder.file(name), renderPage(reportPage(report(all))));
    return pathToFileURL(folder.file(name)).href;
  };
  let url = '';
  const all = [
    ...images(4990, 'copied'),
    ...Array.from({ length: 8 }, (_, index) => lost(5000 + index)),
    denied,
    foreign,
  ];
  beforeAll(() => {
    browser = openBrowser();
    url = urlOf('page.html', all);
  });
  afterAll(() => browser.close());

  it('has the verdict first, then the problems, and pictures and 5,000 images below', async () => {
    const page = await browser.open(url);
    const tops = await page.evaluate<number[]>(
      `['.verdict', '#problems', '#skipped', '.bar', '#images'].map((each) => document.querySelector(each).getBoundingClientRect().top)`,
    );
    expect(tops).toEqual([...tops].sort((left, right) => left - right));
    expect(await page.evaluate('document.querySelector(".verdict p").textContent')).toBe(
      '4,990 of 5,000 images arrived, 9 failed, 1 skipped',
    );
    const heads = await page.evaluate<string[]>(
      '[...document.querySelectorAll("h2")].map((each) => each.firstChild.textContent.trim())',
    );
    expect(heads).toEqual(['Failed', 'Skipped', 'Images']);
    await page.close();
  });

  it('fits 360 pixels: neither the page nor a table scrolls sideways', async () => {
    const page = await browser.open(url, { width: 360 });
    const [width, ...tables] = await page.evaluate<number[]>(
      '[document.documentElement.scrollWidth, ...[...document.querySelectorAll(".scroll")].map((each) => each.scrollWidth - each.clientWidth)]',
    );
    expect(width).toBe(360);
    expect(tables).toEqual([0, 0, 0]);
    await page.close();
  });

  it('finds an image by the end of its digest, which the screen does not show', async () => {
    const page = await browser.open(url);
    const found = await page.evaluate<string>(`(() => {
      const input = document.querySelector('#images input');
      input.value = ${JSON.stringify(digestOf('4321').slice(-20))};
      input.oninput();
      return [...document.querySelectorAll('#images tbody tr')].map((row) => row.cells[0].textContent).join();
    })()`);
    expect(found).toBe('platform/team-1/component-4321:release-1.4321.0');
    await page.close();
  });

  it('prints every row of a searched table with its whole digest on A4, and shows the screen as it was', async () => {
    const page = await browser.open(urlOf('printed.html', images(300, 'copied')));
    const rows = 'document.querySelectorAll("#images tbody tr").length';
    await page.evaluate(`(() => {
      const input = document.querySelector('#images input');
      input.value = 'component-12';
      input.oninput();
      addEventListener('beforeprint', () => {
        globalThis.printed = {
          rows: ${rows},
          digest: document.querySelector('#images td.hex').textContent,
        };
      });
    })()`);
    expect(await page.evaluate(rows)).toBe(11);
    const pdf = (await page.print()).toString('latin1');
    expect(await page.evaluate('globalThis.printed')).toMatchObject({ rows: 300, digest: digestOf('0') });
    expect(await page.evaluate(rows)).toBe(11);
    const boxes = [...pdf.matchAll(/\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/g)].map((box) => [
      Math.round(Number(box[1])),
      Math.round(Number(box[2])),
    ]);
    expect(boxes.length).toBeGreaterThan(5);
    expect(new Set(boxes.map(String))).toEqual(new Set(['595,842']));
    await page.close();
  });

  it('prints without a cut column, in light colours, with page numbers', async () => {
    // What A4 has between its margins, in CSS pixels.
    const page = await browser.open(url, { width: 703, dark: true, print: true });
    const seen = await page.evaluate<Record<string, unknown>>(`(() => {
      const cells = [...document.querySelectorAll('#images tr:nth-child(-n+5) > *')];
      return {
        width: document.documentElement.scrollWidth,
        right: Math.max(...cells.map((cell) => cell.getBoundingClientRect().right)) <= 703,
        overflowing: cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).length,
        hidden: cells.filter((cell) => getComputedStyle(cell).display === 'none').length,
        rest: getComputedStyle(document.querySelector('#images .rest')).display,
        button: getComputedStyle(document.querySelector('#images th button')).display,
        ink: getComputedStyle(document.body).color,
        numbers: document.querySelector('style').textContent.includes("counter(page) ' / ' counter(pages)"),
      };
    })()`);
    expect(seen).toEqual({
      width: 703,
      right: true,
      overflowing: 0,
      hidden: 0,
      rest: 'inline',
      // Other than this Chromium does not repeat a table's head on each page.
      button: 'contents',
      ink: 'rgb(27, 31, 36)',
      numbers: true,
    });
    await page.close();
  });
});
