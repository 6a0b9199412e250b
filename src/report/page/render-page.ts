import { createHash } from 'node:crypto';
import { script, style } from 'regtar:report-page';
import { plural } from '../../io/sizes.ts';
import { escapeHtml, escapeJson } from './escape.ts';
import type { Cell, Column, Fact, MapKind, Page, Reason, Share, Table, Verdict } from './model.ts';

/**
 * One page of HTML that needs nothing else: no network, no other file. Without scripts it is tables; its own script,
 * which the policy names by its hash, adds the map, search and order. The policy allows nothing else to run or to load.
 */
export function renderPage(page: Page): string {
  const policy = `default-src 'none'; script-src ${hashSource(script)}; style-src ${hashSource(style)}; base-uri 'none'; form-action 'none'`;
  const parts = [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    `<title>${escapeHtml(page.title)}</title>`,
    `<style>${style}</style>`,
    '</head>',
    '<body>',
    `<header><h1>${escapeHtml(page.title)}</h1><p>${escapeHtml(page.subtitle)}</p></header>`,
    '<main>',
    renderVerdict(page.verdict),
    `<dl class="facts">${page.facts.map(renderFact).join('')}</dl>`,
    ...page.problems.map(renderTable),
    ...(page.shares === undefined ? [] : [renderShares(page.shares)]),
    ...(page.map === undefined
      ? []
      : [mapSection(), `<script type="application/json" id="map-data">${escapeJson(page.map)}</script>`]),
    ...page.tables.map(renderTable),
    '</main>',
    `<footer>${escapeHtml(page.footer)}</footer>`,
    ...(page.data === undefined
      ? []
      : [`<script type="application/json" id="report-data">${escapeJson(page.data)}</script>`]),
    `<script>${script}</script>`,
    '</body>',
    '</html>',
    '',
  ];
  return parts.join('\n');
}

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function renderVerdict({ text, tone, note, reasons }: Verdict): string {
  return [
    `<div class="verdict is-${tone}"><p>${escapeHtml(text)}</p>`,
    ...(note === undefined ? [] : [`<p class="note">${escapeHtml(note)}</p>`]),
    ...(reasons.length === 0 ? [] : [`<ul>${reasons.map(renderReason).join('')}</ul>`]),
    '</div>',
  ].join('\n');
}

function renderReason({ count, tone, code, text, hint }: Reason): string {
  const todo = hint === undefined ? '' : `<span class="todo">${escapeHtml(hint)}</span>`;
  const head = `<b class="${tone}">${escapeHtml(count)}</b> <code>${escapeHtml(code)}</code>`;
  return `<li>${head} ${escapeHtml(text)}${todo}</li>`;
}

function renderFact({ name, value, long }: Fact): string {
  return `<div${long === true ? ' class="long"' : ''}><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`;
}

/** Drawn as SVG: widths are attributes, which the policy lets stand, unlike styles. */
function renderShares(shares: readonly Share[]): string {
  const total = shares.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return '';
  let x = 0;
  const rects = shares.map(({ count, paint }) => {
    const width = (100 * count) / total;
    const rect = `<rect class="${paint}-paint" x="${x.toFixed(3)}" y="0" width="${width.toFixed(3)}" height="1"/>`;
    x += width;
    return rect;
  });
  const legend = shares
    .filter(({ count }) => count > 0)
    .map(
      ({ name, count, paint }) =>
        `<li><svg aria-hidden="true"><rect class="${paint}-paint" width="14" height="14" rx="3"/></svg>${escapeHtml(`${count} ${name}`)}</li>`,
    );
  return `<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">${rects.join('')}</svg><ul class="legend">${legend.join('')}</ul>`;
}

const mapLegend: readonly {
  readonly kind: MapKind;
  readonly text: string;
  readonly paint: string;
  readonly isHatched: boolean;
}[] = [
  { kind: 'own', text: 'needed by one image', paint: 'own', isHatched: false },
  { kind: 'kept', text: 'shared by images of one repository', paint: 'kept', isHatched: true },
  { kind: 'common', text: 'shared by several repositories', paint: 'common', isHatched: true },
  { kind: 'untagged', text: 'needed by untagged manifests only', paint: 'grey', isHatched: false },
  { kind: 'unreached', text: 'needed by nothing', paint: 'grey', isHatched: true },
];

/** Hidden until the script fills it. */
function mapSection(): string {
  const patterns = mapLegend
    .filter(({ isHatched }) => isHatched)
    .map(
      ({ kind, paint }) =>
        `<pattern id="hatch-${kind === 'unreached' ? 'grey' : kind}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="${paint}-paint" width="6" height="6"/><line class="${paint}-line" x1="0" y1="0" x2="0" y2="6" stroke-width="2.5"/></pattern>`,
    );
  const legend = mapLegend.map(
    ({ kind, text, paint, isHatched }) =>
      `<li data-kind="${kind}"><svg aria-hidden="true"><rect width="14" height="14" rx="3" ${isHatched ? `fill="url(#hatch-${kind === 'unreached' ? 'grey' : kind})"` : `class="${paint}-paint"`}/></svg>${text}</li>`,
  );
  return [
    '<section class="map" id="map" hidden>',
    '<h2>Where the bytes are <small>each blob once</small></h2>',
    '<div class="map-tools"></div>',
    `<svg class="tree" tabindex="0" role="group" aria-label="Bytes by repository and image; the tables below say the same"><defs>${patterns.join('')}</defs><g></g></svg>`,
    '<output></output>',
    `<ul class="legend">${legend.join('')}</ul>`,
    '</section>',
  ].join('\n');
}

function renderTable(table: Table): string {
  const head = table.columns
    .map((column) => `<th scope="col"${classOf(column)}>${escapeHtml(column.name)}</th>`)
    .join('');
  const rows = table.rows.map(
    (row) => `<tr>${table.columns.map((column, index) => renderCell(row[index] ?? '', column)).join('')}</tr>`,
  );
  return [
    `<section id="${table.id}">`,
    `<h2>${escapeHtml(table.title)} <small>${plural(table.rows.length, 'row')}</small></h2>`,
    ...(table.note === undefined ? [] : [`<p class="note">${escapeHtml(table.note)}</p>`]),
    `<div class="scroll"><table${table.isStacked === true ? ' class="stacked"' : ''}>`,
    `<caption>${escapeHtml(table.title)}</caption><thead><tr>${head}</tr></thead><tbody>`,
    ...rows,
    '</tbody></table></div>',
    '</section>',
  ].join('\n');
}

function renderCell(cell: Cell, column: Column): string {
  const { text, rest, sort, title, tone } = typeof cell === 'string' ? { text: cell } : cell;
  const attributes = `${classOf(column, tone)}${sort === undefined ? '' : ` data-sort="${sort}"`}${title === undefined ? '' : ` title="${escapeHtml(title)}"`}`;
  const hidden = rest === undefined ? '' : `<span class="rest">${escapeHtml(rest)}</span>`;
  const shown = column.kind === 'name' ? breakable(escapeHtml(text)) : escapeHtml(text);
  return `<td${attributes}>${shown}${hidden}</td>`;
}

/** Lets a name break between its components before it breaks anywhere else. */
function breakable(html: string): string {
  return html.replaceAll(/[/:](?=.)/g, '$&<wbr>');
}

function classOf({ kind, wide }: Column, tone?: string): string {
  const names = [
    kind === 'number' ? 'n' : kind === 'text' ? undefined : kind,
    wide === true ? 'wide' : undefined,
    tone,
  ].filter((name) => name !== undefined);
  return names.length === 0 ? '' : ` class="${names.join(' ')}"`;
}
