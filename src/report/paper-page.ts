import { formatNames, formats } from '../formats/formats.ts';
import { bytesCell, formatTime, shortDigest } from './inspect-page.ts';
import type { Cell, Fact, Page, Share, Table } from './page/model.ts';
import type { Paper, PaperImage, PaperStatus } from './paper.ts';
import { formatBytes, formatCount, formatSeconds } from './sizes.ts';

const paints = {
  copied: 'good',
  present: 'present',
  skipped: 'warn',
  failed: 'bad',
  unfinished: 'bad',
} as const satisfies Record<PaperStatus, Share['paint']>;
const tones = {
  copied: 'good',
  present: 'good',
  skipped: 'warn',
  failed: 'bad',
  unfinished: 'bad',
} as const satisfies Record<PaperStatus, 'good' | 'warn' | 'bad'>;

/** A paper as a page. It carries the paper itself, so that one file serves people and `regtar check`. */
export function paperPage(paper: Paper): Page {
  const { command, target, totals } = paper;
  const statuses = Object.keys(paints) as PaperStatus[];
  return {
    title: `${command === 'push' ? 'Push to' : 'Export to'} ${placeOf(paper)}`,
    subtitle: `${stateOf(paper)}, started ${formatTime(new Date(paper.started))}${paper.ended === undefined ? '' : `, ended ${formatTime(new Date(paper.ended))}`}`,
    facts: [
      { name: 'Images', value: formatCount(paper.images.length) },
      { name: command === 'push' ? 'Sent' : 'Written', value: formatBytes(totals.blobs.bytes) },
      { name: command === 'push' ? 'Mounted or present' : 'Present', value: formatBytes(totals.blobs.spared) },
      ...(paper.seconds === undefined ? [] : [{ name: 'Time', value: formatSeconds(paper.seconds) }]),
      {
        name: 'Target',
        value: `${kinds[target.kind] ?? target.kind}${target.product === undefined ? '' : `, ${target.product}`}`,
      },
      ...(paper.shard === undefined ? [] : [{ name: 'Part', value: `${paper.shard.index} of ${paper.shard.count}` }]),
      ...(paper.shards === undefined
        ? []
        : [
            {
              name: 'Parts',
              value:
                paper.shards.missing.length === 0
                  ? `all ${paper.shards.count}`
                  : `missing: ${paper.shards.missing.join(', ')} of ${paper.shards.count}`,
            },
          ]),
      ...(paper.delta === true ? [{ name: 'Delta', value: 'blobs of the base stayed behind' }] : []),
      ...paper.sources.flatMap(sourceFacts),
      ...(paper.error === undefined
        ? []
        : [{ name: 'Ended early', value: `${paper.error.code}: ${paper.error.message}`, long: true }]),
    ],
    shares: statuses.map((name) => ({ name, count: totals.images[name], paint: paints[name] })),
    tables: [...failures(paper), images(paper)],
    footer: `Made by regtar ${paper.versions.regtar}, Node.js ${paper.versions.node}, ${paper.versions.system}. Times are UTC. Sizes are bytes as stored; 1 GB is 1,000,000,000 bytes. \`regtar check TARGET --report FILE\` compares a target with this page.`,
    data: paper,
  };
}

/** What a target is called, by what reports call it. */
const kinds: Readonly<Record<string, string>> = {
  registry: 'registry',
  ...Object.fromEntries(formatNames.map((name) => [formats[name].reportKind, formats[name].title])),
};

function placeOf({ target }: Paper): string {
  return target.path === undefined ? target.name : `${target.name}/${target.path}`;
}

function stateOf({ state, totals }: Paper): string {
  const { failed, unfinished } = totals.images;
  if (state === 'finished') return failed > 0 ? `Finished, ${formatCount(failed)} failed` : 'Finished';
  const left = unfinished > 0 ? `, ${formatCount(unfinished)} unfinished` : '';
  return { running: `Not ended${left}`, interrupted: `Interrupted${left}`, failed: `Failed${left}` }[state];
}

function sourceFacts({ name, format, bytes, sha256 }: Paper['sources'][number]): Fact[] {
  const size = bytes === undefined ? '' : `, ${formatBytes(bytes)}`;
  return [
    { name: 'Source', value: `${name} (${format}${size})`, long: true },
    ...(sha256 === undefined ? [] : [{ name: 'SHA-256 of the source', value: sha256, long: true }]),
  ];
}

function failures({ images: all }: Paper): Table[] {
  const rows = all.filter(({ error }) => error !== undefined);
  if (rows.length === 0) return [];
  return [
    {
      id: 'problems',
      title: 'Not there',
      columns: [
        { name: 'Image', kind: 'name' },
        { name: 'Status', kind: 'text' },
        { name: 'Code', kind: 'text' },
        { name: 'Why', kind: 'text' },
        { name: 'What to do', kind: 'text' },
      ],
      rows: rows.map((image) => [
        imageName(image),
        statusCell(image.status),
        image.error?.code ?? '',
        image.error?.message ?? '',
        image.error?.hint ?? '',
      ]),
    },
  ];
}

function images({ images: all }: Paper): Table {
  return {
    id: 'images',
    title: 'Images',
    columns: [
      { name: 'Image', kind: 'name' },
      { name: 'Status', kind: 'text' },
      { name: 'Bytes', kind: 'number' },
      { name: 'Platforms', kind: 'text', wide: true },
      { name: 'Digest', kind: 'hex' },
      { name: 'In the target', kind: 'name', wide: true },
      { name: 'Ended', kind: 'text', wide: true },
    ],
    rows: all.map((image): readonly Cell[] => [
      imageName(image),
      statusCell(image.status),
      image.bytes === undefined ? '–' : bytesCell(image.bytes),
      image.platforms?.join(', ') ?? '–',
      digestCell(image),
      image.arrived === undefined ? '–' : imageName(image.arrived),
      image.ended?.slice(11, 19) ?? '–',
    ]),
  };
}

/** The digest in the target; where it is a new one, the title says the old. */
function digestCell({ digest, arrived }: PaperImage): Cell {
  if (arrived === undefined) return digest === undefined ? '–' : shortDigest(digest);
  const cell = shortDigest(arrived.digest);
  return arrived.digest === digest || typeof cell === 'string'
    ? cell
    : { ...cell, title: `${arrived.digest}, reduced from ${digest ?? 'another'}`, tone: 'warn' };
}

function statusCell(status: PaperStatus): Cell {
  return { text: status, tone: tones[status] };
}

/** A digest stands in a column of its own. */
function imageName({ repository, tag }: Pick<PaperImage, 'repository' | 'tag'>): string {
  return tag === undefined ? `${repository} (untagged)` : `${repository}:${tag}`;
}
