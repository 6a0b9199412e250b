import type { Garbage } from '../content/garbage.ts';
import type { BackupSummary } from '../content/summarize.ts';
import { groupBy } from '../io/group-by.ts';
import type { Cell, MapNode, Page, Table, Verdict } from './page/model.ts';
import { formatBytes, formatCount, plural } from '../io/sizes.ts';
import { nameOf, type WeighedImage, type WeighedRepository, type Weights } from './weigh-images.ts';

/** What the page of a backup says of the backup itself. */
export interface InspectPageOptions {
  /** What the backup is called. */
  readonly source: string;
  readonly format: string;
  /** Of the backup itself, in bytes, where it is known. */
  readonly bytes: number | undefined;
  readonly version: string;
  readonly made: Date;
}

/** So many shared blobs are drawn by themselves; the others are one piece. */
const commonBlobsDrawn = 300;

/** What `inspect --html` shows. */
export function inspectPage(
  summary: BackupSummary,
  weights: Weights,
  garbage: Garbage,
  options: InspectPageOptions,
): Page {
  const { bytes } = summary;
  return {
    title: options.source,
    subtitle:
      'Registry backup ' +
      `(${options.format}${options.bytes === undefined ? '' : `, ${formatBytes(options.bytes)}`}), read ` +
      `${formatTime(options.made)}`,
    verdict: verdictOf(summary),
    facts: [
      { name: 'Repositories', value: formatCount(summary.repositories) },
      { name: 'Tags', value: formatCount(summary.tags) },
      { name: 'Images', value: formatCount(summary.images) },
      { name: 'Blobs', value: `${formatCount(summary.blobs)}, ${formatBytes(bytes.blobs)}` },
      { name: 'Used by tags', value: formatBytes(bytes.referenced) },
      { name: 'Only by untagged manifests', value: formatBytes(bytes.untagged) },
      { name: 'Unreferenced', value: formatBytes(bytes.unreferenced) },
      {
        name: 'Platforms',
        value:
          summary.platforms.map(({ platform, images }) => `${platform} (${formatCount(images)})`).join(', ') || 'none',
        long: true,
      },
    ],
    map: drawnMap(summary, weights, options.source),
    problems: summary.problems.length > 0 ? [problemsTable(summary)] : [],
    tables: [
      imagesTable(weights),
      repositoriesTable(summary),
      layersTable(summary),
      ...(garbage.repositories.length > 0 ? [garbageTable(garbage)] : []),
    ],
    footer: `Made by regtar ${options.version}. Sizes are bytes as stored; 1 GB is 1,000,000,000 bytes.`,
  };
}

/** Problems by their code, the most frequent first. Structure is all that `inspect` reads, and the note says so. */
function verdictOf({ problems, images, tags }: BackupSummary): Verdict {
  const whole = `${plural(tags, 'tag')} on ${plural(images, 'image')}`;
  const note = 'Manifests and links were read. `regtar verify` also hashes every blob.';
  if (problems.length === 0) return { text: `No problems found in ${whole}`, tone: 'good', note, reasons: [] };
  const reasons = groupBy(problems, ({ code }) => code).map(([code, same]) => ({
    count: formatCount(same.length),
    tone: 'bad' as const,
    code,
    text: `${same.length > 1 ? 'for example ' : ''}${same[0].message}`,
  }));
  return { text: `${plural(problems.length, 'problem')} in ${whole}`, tone: 'bad', note, reasons };
}

/** To the minute, in UTC. */
export function formatTime(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function drawnMap({ bytes }: BackupSummary, weights: Weights, name: string): MapNode {
  const drawn = weights.common.slice(0, commonBlobsDrawn);
  const rest = weights.common.slice(commonBlobsDrawn);
  const common: MapNode[] = drawn.map((blob) => ({
    name: `${blob.example} and ${formatCount(blob.images - 1)} more`,
    kind: 'common',
    bytes: blob.bytes,
    note: `shared by ${plural(blob.images, 'image')} of ${plural(blob.repositories, 'repository')}; ${blob.digest}`,
  }));
  if (rest.length > 0)
    common.push({
      name: `${formatCount(rest.length)} smaller blobs`,
      kind: 'common',
      bytes: rest.reduce((sum, blob) => sum + blob.bytes, 0),
      note: 'each shared by several repositories',
    });
  return {
    name,
    children: [
      ...weights.repositories.map(repositoryNode).filter(({ children }) => (children?.length ?? 0) > 0),
      ...(common.length > 0 ? [{ name: 'shared by several repositories', children: common }] : []),
      ...(bytes.untagged > 0
        ? [
            {
              name: 'untagged',
              kind: 'untagged' as const,
              bytes: bytes.untagged,
              note: 'needed by manifests without a tag only; --untagged takes them along',
            },
          ]
        : []),
      ...(bytes.unreferenced > 0
        ? [
            {
              name: 'unreferenced',
              kind: 'unreached' as const,
              bytes: bytes.unreferenced,
              note: 'no manifest needs these bytes; they do not travel',
            },
          ]
        : []),
    ],
  };
}

function repositoryNode({ repository, images, kept }: WeighedRepository): MapNode {
  return {
    name: repository,
    children: [
      ...images
        .filter(({ own }) => own > 0)
        .map((image): MapNode => ({
          name: nameOf(repository, image.tags, image.digest),
          kind: 'own',
          bytes: image.own,
          note:
            `of ${formatBytes(image.bytes)} that it ` +
            `needs${image.tags.length > 1 ? `; also tagged ${image.tags.slice(1, 4).join(', ')}${image.tags.length > 4 ? ', …' : ''}` : ''}${image.problems.length > 0 ? `; ${image.problems.join(', ')}` : ''}`,
          ...(image.problems.length > 0 && { problem: true }),
        })),
      ...(kept > 0
        ? [
            {
              name: `${repository}, shared inside`,
              kind: 'kept' as const,
              bytes: kept,
              note: 'needed by several images of this repository',
            },
          ]
        : []),
    ],
  };
}

function imagesTable({ repositories }: Weights): Table {
  const images = repositories.flatMap((each) => each.images);
  return {
    id: 'images',
    title: 'Images',
    note: 'One row a digest and repository. “Own” is what no other image needs: what its removal would free.',
    columns: [
      { name: 'Repository', kind: 'name' },
      { name: 'Tags', kind: 'name' },
      { name: 'Platforms', kind: 'text', wide: true },
      { name: 'Bytes', kind: 'number' },
      { name: 'Own', kind: 'number' },
      { name: 'Kind', kind: 'code', wide: true },
      { name: 'Problems', kind: 'code', wide: true },
      { name: 'Digest', kind: 'hex', wide: true },
    ],
    rows: images.map(imageRow),
  };
}

function imageRow(image: WeighedImage): readonly Cell[] {
  return [
    image.repository,
    image.tags.join(', '),
    image.platforms.join(', ') || '–',
    bytesCell(image.bytes),
    bytesCell(image.own),
    image.kind,
    image.problems.length === 0 ? '' : { text: image.problems.join(', '), tone: 'bad' },
    shortDigest(image.digest),
  ];
}

function repositoriesTable({ perRepository }: BackupSummary): Table {
  return {
    id: 'repositories',
    title: 'Repositories',
    note: '“Own” is what no other repository needs.',
    columns: [
      { name: 'Repository', kind: 'name' },
      { name: 'Tags', kind: 'number' },
      { name: 'Bytes', kind: 'number' },
      { name: 'Own', kind: 'number' },
      { name: 'Shared', kind: 'number', wide: true },
    ],
    rows: perRepository.map((row) => [
      row.repository,
      { text: formatCount(row.tags), sort: row.tags },
      bytesCell(row.bytes),
      bytesCell(row.own),
      bytesCell(row.bytes - row.own),
    ]),
  };
}

function layersTable({ biggestLayers }: BackupSummary): Table {
  return {
    id: 'layers',
    title: 'Biggest blobs',
    columns: [
      { name: 'Digest', kind: 'hex' },
      { name: 'Bytes', kind: 'number' },
      { name: 'Repositories', kind: 'number', wide: true },
      { name: 'For example in', kind: 'name' },
    ],
    rows: biggestLayers.map((layer) => [
      shortDigest(layer.digest),
      bytesCell(layer.size),
      { text: formatCount(layer.repositories), sort: layer.repositories },
      layer.image,
    ]),
  };
}

function garbageTable({ repositories, untagged, unreferenced }: Garbage): Table {
  return {
    id: 'garbage',
    title: 'What no tag needs',
    note:
      `Garbage collection of a registry removes ${plural(unreferenced.blobs, 'unreferenced blob')} ` +
      `(${formatBytes(unreferenced.bytes)}), and with --delete-untagged ${plural(untagged.blobs, 'blob')} ` +
      `(${formatBytes(untagged.bytes)}) of ${plural(untagged.manifests.length, 'untagged manifest')} as well. A ` +
      'blob of several repositories counts in each.',
    columns: [
      { name: 'Repository', kind: 'name' },
      { name: 'Untagged manifests', kind: 'number', wide: true },
      { name: 'Untagged bytes', kind: 'number' },
      { name: 'Unreferenced blobs', kind: 'number', wide: true },
      { name: 'Unreferenced bytes', kind: 'number' },
    ],
    rows: repositories.map((row) => [
      row.repository ?? '(none)',
      { text: formatCount(row.untaggedManifests), sort: row.untaggedManifests },
      bytesCell(row.untaggedBytes),
      { text: formatCount(row.unreferencedBlobs), sort: row.unreferencedBlobs },
      bytesCell(row.unreferencedBytes),
    ]),
  };
}

function problemsTable({ problems }: BackupSummary): Table {
  return {
    id: 'problems',
    title: 'Problems',
    isStacked: true,
    columns: [
      { name: 'Code', kind: 'code' },
      { name: 'Image', kind: 'name' },
      { name: 'What', kind: 'text' },
    ],
    rows: problems.map(({ code, repository, tag, path, message }) => [
      { text: code, tone: 'bad' },
      repository === undefined ? (path ?? '') : tag === undefined ? repository : `${repository}:${tag}`,
      message,
    ]),
  };
}

/** A size that is sorted by its bytes. */
export function bytesCell(bytes: number): Cell {
  return { text: formatBytes(bytes), sort: bytes };
}

/** On screens as much as people compare by eye; the whole is in the title and in print. */
export function shortDigest(digest: string): Exclude<Cell, string> {
  const end = digest.indexOf(':') + 13;
  return { text: digest.slice(0, end), rest: digest.slice(end), title: digest };
}
