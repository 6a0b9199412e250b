import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGraphReader } from '../../src/content/image-graph.ts';
import { findGarbage } from '../../src/content/garbage.ts';
import { summarize } from '../../src/content/summarize.ts';
import { inspectPage } from '../../src/report/inspect-page.ts';
import { renderPage } from '../../src/report/page/render-page.ts';
import { weighImages } from '../../src/report/weigh-images.ts';
import { openSource } from '../../src/source/open-source.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { openBrowser, type Browser } from '../support/open-browser.ts';
import { describeWith } from '../support/peers.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

async function writePage(tar: string, name: string): Promise<string> {
  const backup = await openSource([tar]);
  const catalog = await readCatalog(backup);
  const store = openContentStore(backup, catalog);
  const graph = createGraphReader(store);
  const page = inspectPage(
    summarize(catalog, store, graph),
    weighImages(catalog, store, graph),
    findGarbage(catalog, store, graph),
    {
      source: 'docker.tar',
      format: 'tar',
      bytes: backup.bytes,
      version: '1.2.3',
      made: new Date(0),
    },
  );
  await backup.close();
  const path = folder.file(name);
  writeFileSync(path, renderPage(page));
  return pathToFileURL(path).href;
}

function writeTar(name: string, bytes: Uint8Array): string {
  writeFileSync(folder.file(name), bytes);
  return folder.file(name);
}

it('weighs each blob once: own, shared inside a repository, shared between repositories', async () => {
  const { built, tar } = buildStorage((s) => ({
    one: s.image('team/app', 'v1', { layers: ['base', 'app', 'one'] }),
    two: s.image('team/app', ['v2', 'latest'], { layers: ['base', 'app', 'two'] }),
    other: s.image('team/web', 'v1', { layers: ['base', 'web'] }),
  }));
  const backup = await openSource([writeTar('weights.tar', tar())]);
  const catalog = await readCatalog(backup);
  const store = openContentStore(backup, catalog);
  const graph = createGraphReader(store);
  const { repositories, common } = weighImages(catalog, store, graph);
  const sizes = (image: typeof built.one, ...indexes: number[]): number =>
    indexes.reduce((sum, index) => sum + (image.blobs[index]?.size ?? 0), 0);
  expect(common).toMatchObject([
    { digest: built.one.blobs[1]?.digest, bytes: sizes(built.one, 1), repositories: 2, images: 3 },
  ]);
  expect(repositories.map(({ repository, kept }) => [repository, kept])).toEqual([
    ['team/app', sizes(built.one, 2)],
    ['team/web', 0],
  ]);
  const [two, one] = repositories[0]?.images ?? [];
  expect(one).toMatchObject({
    tags: ['v1'],
    own: sizes(built.one, 0, 3) + built.one.bytes.length,
    bytes: sizes(built.one, 0, 1, 2, 3) + built.one.bytes.length,
  });
  expect(two).toMatchObject({ tags: ['latest', 'v2'] });
  const { referenced } = summarize(catalog, store, graph).bytes;
  const parts = repositories
    .flatMap(({ images, kept }) => [kept, ...images.map(({ own }) => own)])
    .concat(common.map(({ bytes }) => bytes));
  expect(parts.reduce((sum, part) => sum + part, 0)).toBe(referenced);
  await backup.close();
});

describeWith('chromium', 'the page of inspect --html, in a real browser', () => {
  let browser: Browser;
  beforeAll(() => void (browser = openBrowser()));
  afterAll(() => browser.close());

  it('asks for nothing but itself, breaks no rule of its own policy, and draws the map', async () => {
    const tar = generateBackup({ images: 60, repositories: 8, bytes: 2_000_000 }, folder.path).file;
    const page = await browser.open(await writePage(tar, 'plain.html'));
    // The script draws after the page has loaded, later on a busy machine.
    for (
      let attempt = 0;
      attempt < 100 && (await page.evaluate('document.querySelectorAll("svg.tree g").length')) === 0;
      attempt++
    )
      await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await page.evaluate('document.querySelectorAll("svg.tree g rect").length')).toBeGreaterThan(40);
    expect(await page.evaluate('document.querySelectorAll("#images tbody tr").length')).toBe(60);
    expect(page.requests).toHaveLength(1);
    expect(page.complaints).toEqual([]);
  });

  it.each([
    { width: 360, dark: false },
    { width: 360, dark: true },
    { width: 1400, dark: false },
    { width: 1400, dark: true },
  ])('fits $width pixels, dark: $dark', async (options) => {
    const tar = generateBackup({ images: 60, repositories: 8, bytes: 2_000_000 }, folder.path).file;
    const page = await browser.open(await writePage(tar, 'fits.html'), options);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.width);
    const cut = '[...document.querySelectorAll(".scroll")].map((each) => each.scrollWidth - each.clientWidth)';
    expect(await page.evaluate(cut)).toEqual([0, 0, 0, 0]);
    const [report, ink] = await page.evaluate<[string, string]>(
      '[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].map(String)',
    );
    const lightness = (color: string): number =>
      (color.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
    expect(lightness(report) > lightness(ink)).toBe(!options.dark);
    const map = await page.evaluate<{ width: number; inside: boolean }>(
      '(() => { const box = document.querySelector("svg.tree").getBoundingClientRect(); return { width: box.width, inside: [...document.querySelectorAll("svg.tree g rect")].every((each) => each.getBoundingClientRect().right <= box.right + 1) }; })()',
    );
    expect(map.inside).toBe(true);
    expect(map.width).toBeGreaterThan(options.width * 0.8);
  });

  it('is whole tables without scripts', async () => {
    const tar = generateBackup({ images: 60, repositories: 8, bytes: 2_000_000 }, folder.path).file;
    const url = await writePage(tar, 'scriptless.html');
    const page = await browser.open(url, { scripts: false });
    await page.screenshot(folder.file('scriptless.png'));
    const text = readFileSync(new URL(url), 'utf8');
    expect(text.match(/<tr>/g)?.length).toBeGreaterThan(60 + 8);
    expect(text).toContain('<section class="map" id="map" hidden>');
    expect(page.complaints).toEqual([]);
  });

  it('shows hostile names as text: nothing of them runs', async () => {
    const attack = '"><img src=x onerror="document.title=\'owned\'"></script><script>document.title="owned"</script>';
    const { tar } = buildStorage((s) => {
      s.image('team/app', 'v1', {
        platform: 'linux/amd64',
        config: { os: attack, architecture: attack },
        annotations: { 'org.opencontainers.image.title': attack },
      });
      s.artifact('team/app', 'chart', { artifactType: attack, mediaType: attack, annotations: { title: attack } });
      s.write(
        `repositories/team/<script>document.title="owned"<&script>/_manifests/tags/<img onerror=1 src=x>/current/link`,
        'sha256:0',
      );
      s.write(`repositories/team/bidi\u202etxt/_manifests/tags/v1/current/link`, 'sha256:0');
    });
    const url = await writePage(writeTar('hostile.tar', tar()), 'hostile.html');
    const page = await browser.open(url);
    expect(await page.evaluate('document.title')).toBe('docker.tar');
    expect(await page.evaluate('document.querySelectorAll("img, iframe, object, [onerror]").length')).toBe(0);
    expect(await page.evaluate('document.scripts.length')).toBe(2);
    expect(await page.evaluate('document.body.textContent.includes("onerror=")')).toBe(true);
    expect(await page.evaluate('document.body.innerHTML.includes("\u202e")')).toBe(false);
    expect(page.requests).toHaveLength(1);
    expect(page.complaints).toEqual([]);
    // Were something of it to become an element all the same, the policy would not let it run.
    await page.evaluate(
      `(() => { const script = document.createElement('script'); script.textContent = 'document.title="owned"'; document.body.append(script); document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="document.title=1">'); })()`,
    );
    await page.evaluate('new Promise((done) => setTimeout(done, 100))');
    expect(await page.evaluate('document.title')).toBe('docker.tar');
    expect(page.complaints.join('\n')).toMatch(/Content Security Policy/);
  });

  it('searches, sorts and looks into repositories among 5,000 images without freezing', async () => {
    const tar = generateBackup(
      { images: 5000, repositories: 500, bytes: 40_000_000, ownLayers: 1, baseLayers: 1 },
      folder.path,
    ).file;
    const page = await browser.open(await writePage(tar, 'many.html'));
    expect(page.loadMilliseconds).toBeLessThan(10_000);
    const steps = await page.evaluate<Record<string, number>>(`(async () => {
      const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      const times = {};
      const time = async (name, act) => { const start = performance.now(); act(); await frame(); times[name] = performance.now() - start; };
      const input = document.querySelector('#images input');
      const [repository] = document.querySelectorAll('#images th button');
      await frame();
      await time('search', () => { input.value = 'arm64'; input.oninput(); });
      times.found = document.querySelectorAll('#images tbody tr').length;
      await time('clear', () => { input.value = ''; input.oninput(); });
      await time('sort', () => repository.click());
      times.shown = document.querySelectorAll('#images tbody tr').length;
      await time('enter', () => document.querySelector('svg.tree g rect.own').dispatchEvent(new MouseEvent('click', { bubbles: true })));
      times.inside = document.querySelectorAll('.map-tools button').length;
      await time('back', () => document.querySelector('.map-tools button').click());
      times.outside = document.querySelectorAll('.map-tools button').length;
      return times;
    })()`);
    expect(steps).toMatchObject({ shown: 100, inside: 1, outside: 0 });
    expect(steps['found']).toBeGreaterThan(0);
    for (const name of ['search', 'clear', 'sort', 'enter', 'back']) expect(steps[name], name).toBeLessThan(2000);
  });
});
