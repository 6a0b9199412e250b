import { printable } from '../../io/printable.ts';
import type { BackupSummary } from '../../content/summarize.ts';
import type { Problem } from '../../errors.ts';
import { formatBytes, formatCount, plural } from '../../io/sizes.ts';
import { renderTable } from './table.ts';
import type { View } from './view.ts';

const rowsShown = 10;
const layersShown = 5;

/** `regtar inspect` for people. */
export function renderSummary(
  summary: BackupSummary,
  source: View & { readonly format: string; readonly bytes: number | undefined },
): string {
  const { bytes } = summary;
  const size = source.bytes === undefined ? '' : `, ${formatBytes(source.bytes)}`;
  const facts: [string, string][] = [
    ['repositories', formatCount(summary.repositories)],
    ['tags', `${formatCount(summary.tags)} on ${plural(summary.images, 'digest')}`],
    ['manifests', formatCount(summary.manifests)],
    ['blobs', `${formatCount(summary.blobs)}, ${formatBytes(bytes.blobs)}`],
    ['used by tags', formatBytes(bytes.referenced)],
    ...(bytes.untagged > 0 ? [['only by untagged', formatBytes(bytes.untagged)] as [string, string]] : []),
    ['unreferenced', formatBytes(bytes.unreferenced)],
    [
      'platforms',
      summary.platforms.map(({ platform, images }) => `${platform} (${formatCount(images)})`).join(', ') || 'none',
    ],
    ['problems', summary.problems.length === 0 ? 'none' : formatCount(summary.problems.length)],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const parts = [
    `${printable(source.describe)} (${source.format}${size})`,
    '',
    ...facts.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`),
  ];
  if (summary.perRepository.length > 0) parts.push('', repositoriesTable(summary, source));
  if (summary.biggestLayers.length > 0) parts.push('', layersTable(summary, source));
  if (summary.problems.length > 0) parts.push('', ...problemLines(summary.problems, source.verbose));
  return parts.join('\n');
}

function repositoriesTable(summary: BackupSummary, { verbose, columns }: Omit<View, 'describe'>): string {
  const shown = verbose ? summary.perRepository : summary.perRepository.slice(0, rowsShown);
  const table = renderTable(
    ['REPOSITORY', 'TAGS', 'BYTES', 'OWN', 'SHARED'],
    shown.map((row) => [
      row.repository,
      formatCount(row.tags),
      formatBytes(row.bytes),
      formatBytes(row.own),
      formatBytes(row.bytes - row.own),
    ]),
    { right: [1, 2, 3, 4], columns },
  );
  const left = summary.perRepository.length - shown.length;
  return left > 0 ? `${table}\n… and ${formatCount(left)} more; -v shows all` : table;
}

function layersTable({ biggestLayers }: BackupSummary, { verbose, columns }: Omit<View, 'describe'>): string {
  const shown = verbose ? biggestLayers : biggestLayers.slice(0, layersShown);
  return renderTable(
    ['BIGGEST BLOBS', 'BYTES', 'REPOSITORIES', 'FOR EXAMPLE IN'],
    shown.map((layer) => [
      layer.digest.slice(0, 19),
      formatBytes(layer.size),
      formatCount(layer.repositories),
      layer.image,
    ]),
    { right: [1, 2], columns },
  );
}

function problemLines(problems: readonly Problem[], verbose: boolean): string[] {
  const shown = verbose ? problems : problems.slice(0, rowsShown);
  const lines = shown.map((problem) => `${problem.code}: ${printable(problem.message)}`);
  const left = problems.length - shown.length;
  return left > 0 ? [...lines, `… and ${formatCount(left)} more problems; -v shows all`] : lines;
}
