import { formatNames, formats } from '../formats/formats.ts';
import { bytesCell, formatTime, shortDigest } from './inspect-page.ts';
import type { Cell, Fact, Page, Share, Table } from './page/model.ts';
import type { Report, ReportApproval, ReportImage, ReportStatus } from './report.ts';
import { formatBytes, formatSeconds } from '../io/sizes.ts';
import { tones, verdictOf } from './verdict.ts';

const paints = {
  copied: 'good',
  present: 'present',
  skipped: 'warn',
  failed: 'bad',
  unfinished: 'grey',
} as const satisfies Record<ReportStatus, Share['paint']>;

/** A report as a page. It carries the report itself, so that one file serves people and `regtar check`. */
export function reportPage(report: Report): Page {
  const { command, target, totals } = report;
  const statuses = Object.keys(paints) as ReportStatus[];
  return {
    title: `${command === 'push' ? 'Push to' : 'Export to'} ${placeOf(report)}`,
    subtitle:
      `${stateOf(report)}, started ` +
      `${formatTime(new Date(report.started))}` +
      `${report.ended === undefined ? '' : `, ended ${formatTime(new Date(report.ended))}`}`,
    verdict: verdictOf(report),
    facts: [
      { name: command === 'push' ? 'Sent' : 'Written', value: formatBytes(totals.blobs.bytes) },
      { name: command === 'push' ? 'Mounted or present' : 'Present', value: formatBytes(totals.blobs.spared) },
      ...(totals.blobs.serverCopiedBytes === undefined
        ? []
        : [{ name: 'Copied by the server, unhashed', value: formatBytes(totals.blobs.serverCopiedBytes) }]),
      ...(report.seconds === undefined ? [] : [{ name: 'Time', value: formatSeconds(report.seconds) }]),
      {
        name: 'Target',
        value: `${kinds[target.kind] ?? target.kind}${target.product === undefined ? '' : `, ${target.product}`}`,
      },
      ...(report.shard === undefined
        ? []
        : [{ name: 'Part', value: `${report.shard.index} of ${report.shard.count}` }]),
      ...(report.shards === undefined
        ? []
        : [
            {
              name: 'Parts',
              value:
                report.shards.missing.length === 0
                  ? `all ${report.shards.count}`
                  : `missing: ${report.shards.missing.join(', ')} of ${report.shards.count}`,
            },
          ]),
      ...(report.approval === undefined ? [] : [{ name: 'Signed by', value: signerOf(report.approval), long: true }]),
      ...(report.delta === true ? [{ name: 'Delta', value: 'blobs of the base stayed behind' }] : []),
      ...report.sources.flatMap(sourceFacts),
    ],
    shares: statuses.map((name) => ({ name, count: totals.images[name], paint: paints[name] })),
    problems: [...failures(report), ...skips(report), ...unnamed(report)],
    tables: [images(report)],
    footer:
      `Made by regtar ${report.versions.regtar}, Node.js ${report.versions.node}, ` +
      `${report.versions.system}. Times are UTC. Sizes are bytes as stored; 1 GB is 1,000,000,000 bytes. \`regtar ` +
      `check TARGET --report FILE\` compares a target with this page.`,
    data: report,
  };
}

/** What a target is called, by what reports call it. */
const kinds: Readonly<Record<string, string>> = {
  registry: 'registry',
  ...Object.fromEntries(formatNames.map((name) => [formats[name].reportKind, formats[name].title])),
};

function placeOf({ target }: Report): string {
  return target.path === undefined ? target.name : `${target.name}/${target.path}`;
}

function stateOf({ state }: Report): string {
  return { running: 'Not ended', finished: 'Finished', interrupted: 'Interrupted', failed: 'Failed' }[state];
}

/** Who allowed these images, and with which report; minisign's comment tells when. */
function signerOf({ name, key, tool, report, comment }: ReportApproval): string {
  const who = name === key ? name : `${name} (${key})`;
  return `${who} with ${tool}, report ${report}${comment === undefined ? '' : `, ${comment}`}`;
}

function sourceFacts({ name, format, bytes, sha256, version }: Report['sources'][number]): Fact[] {
  const size = bytes === undefined ? '' : `, ${formatBytes(bytes)}`;
  return [
    { name: 'Source', value: `${name} (${format}${size})`, long: true },
    ...(sha256 === undefined ? [] : [{ name: 'SHA-256 of the source', value: sha256, long: true }]),
    ...(version === undefined ? [] : [{ name: 'Version of the source', value: version, long: true }]),
  ];
}

function failures({ images: all }: Report): Table[] {
  return reasons(
    'problems',
    'Failed',
    all.filter(({ status }) => status === 'failed' || status === 'unfinished'),
  );
}

function skips({ images: all }: Report): Table[] {
  return reasons(
    'skipped',
    'Skipped',
    all.filter(({ status }) => status === 'skipped'),
  );
}

/** Blobs of the target's storage that nobody may ever sweep. */
function unnamed({ unnamedBlobs = [] }: Report): Table[] {
  if (unnamedBlobs.length === 0) return [];
  return [
    {
      id: 'unnamed',
      title: 'Placed in vain',
      note: 'no image that arrived names these blobs; push what failed again, or remove their files from the storage',
      columns: [{ name: 'Digest', kind: 'hex' }],
      rows: unnamedBlobs.map((digest): readonly Cell[] => [shortDigest(digest)]),
    },
  ];
}

function reasons(id: string, title: string, all: readonly ReportImage[]): Table[] {
  const rows = all.flatMap(({ error, ...image }): (readonly Cell[])[] =>
    error === undefined
      ? []
      : [[imageName(image), { text: error.code, tone: tones[image.status] }, error.message, error.hint ?? '']],
  );
  if (rows.length === 0) return [];
  return [
    {
      id,
      title,
      isStacked: true,
      columns: [
        { name: 'Image', kind: 'name' },
        { name: 'Code', kind: 'code' },
        { name: 'Why', kind: 'text' },
        { name: 'What to do', kind: 'text' },
      ],
      rows,
    },
  ];
}

function images({ images: all }: Report): Table {
  return {
    id: 'images',
    title: 'Images',
    columns: [
      { name: 'Image', kind: 'name' },
      { name: 'Status', kind: 'code' },
      { name: 'Bytes', kind: 'number' },
      { name: 'Platforms', kind: 'text', wide: true },
      { name: 'Digest', kind: 'hex' },
      { name: 'In the target', kind: 'name', wide: true },
      { name: 'Ended', kind: 'code', wide: true },
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

/** The digest in the target; where it is a new one, title and print say the old. */
function digestCell({ digest, arrived }: ReportImage): Cell {
  if (arrived === undefined) return digest === undefined ? '–' : shortDigest(digest);
  const cell = shortDigest(arrived.digest);
  if (arrived.digest === digest) return cell;
  const reduced = `, reduced from ${digest ?? 'another'}`;
  return { ...cell, rest: `${cell.rest ?? ''}${reduced}`, title: `${arrived.digest}${reduced}`, tone: 'warn' };
}

function statusCell(status: ReportStatus): Cell {
  return { text: status, tone: tones[status] };
}

/** A digest stands in a column of its own. */
function imageName({ repository, tag }: Pick<ReportImage, 'repository' | 'tag'>): string {
  return tag === undefined ? `${repository} (untagged)` : `${repository}:${tag}`;
}
