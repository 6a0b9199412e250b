import type { ContentStore, ImageSink, SinkTraits } from '../content/contracts.ts';
import { RegtarError } from '../errors.ts';
import type { FormatDeclaration } from '../formats/format.ts';
import { formats, type Format } from '../formats/formats.ts';
import type { FileSinkOptions } from '../formats/options.ts';
import { planVolumes, type VolumePlan } from '../formats/volumes/plan-volumes.ts';
import { openVolumeSink } from '../formats/volumes/volume-sink.ts';
import { planTotals } from '../select/plan-totals.ts';
import type { Plan } from '../select/plan.ts';
import { formatBytes, formatCount, plural } from '../io/sizes.ts';
import { renderTable } from './render/table.ts';

/** Options of `export` that concern volumes. */
export interface VolumeFlags {
  readonly volumeSize?: number | undefined;
  readonly splitBlobs?: boolean;
  readonly volumes?: VolumeRange;
}

/** `--volumes 2-3`, counted from 1. */
export interface VolumeRange {
  readonly first: number;
  readonly last: number;
}

/** An export to volumes: the plan in their order, and the sink that writes them. */
export interface VolumeExport {
  readonly plan: Plan;
  readonly sink: ImageSink;
  /** `--dry-run` for people. */
  readonly planLines: readonly string[];
  /** `--dry-run` for programs. */
  readonly planJson: Readonly<Record<string, unknown>>;
}

/** @throws RegtarError USAGE for options that concern volumes where there are none */
export function refuseVolumeFlags({ volumeSize, splitBlobs, volumes }: VolumeFlags): void {
  const flag = splitBlobs === true ? '--split-blobs' : volumes === undefined ? undefined : '--volumes';
  if (flag !== undefined && volumeSize === undefined)
    throw new RegtarError('USAGE', `${flag} is for the volumes of a set, but --volume-size is not given`, {
      hint: 'add --volume-size, such as --volume-size 4.4G',
    });
}

/** @throws RegtarError VOLUME_TOO_SMALL, USAGE */
export async function openVolumeExport(
  whole: Plan,
  store: ContentStore,
  traits: SinkTraits,
  options: Omit<FileSinkOptions, 'out'> &
    VolumeFlags & { readonly format: Format; readonly out: string; readonly volumeSize: number },
): Promise<VolumeExport> {
  const { volume }: FormatDeclaration = formats[options.format];
  if (volume === undefined) throw new RegtarError('INTERNAL', `--format ${options.format} cannot be cut into volumes`);
  const set = planVolumes(whole.images, {
    format: (await volume())({ prefix: options.prefix }),
    size: options.volumeSize,
    splitBlobs: options.splitBlobs,
  });
  const chosen = chooseVolumes(set, options.volumes);
  const known = new Map(whole.images.map((image) => [image.target, image]));
  const images = set.volumes.flatMap((each, index) =>
    chosen.has(index) ? each.images.flatMap(({ target }) => known.get(target) ?? []) : [],
  );
  const sink = openVolumeSink(set, store, traits, { ...options, only: chosen });
  return {
    plan: { ...whole, images, ...planTotals(images, store) },
    sink,
    planLines: renderVolumes(set, options.volumeSize, chosen),
    planJson: { set: set.id, volumes: set.set.volumes },
  };
}

function chooseVolumes({ volumes }: VolumePlan, range: VolumeRange | undefined): ReadonlySet<number> {
  const { first = 1, last = volumes.length } = range ?? {};
  if (first > volumes.length || last > volumes.length)
    throw new RegtarError('USAGE', `there is no volume ${Math.max(first, last)}: the set has ${volumes.length}`, {
      hint: '--dry-run shows the volumes',
    });
  return new Set(Array.from({ length: last - first + 1 }, (_, index) => first - 1 + index));
}

function renderVolumes({ set, volumes }: VolumePlan, size: number, chosen: ReadonlySet<number>): readonly string[] {
  const rows = volumes.map(({ name, size: bytes, parts, images, blobs }, index) => [
    chosen.has(index) ? name : `(${name})`,
    formatCount(images.length),
    formatCount(blobs.length),
    formatBytes(bytes),
    `${Math.floor((100 * bytes) / (size * parts))} %`,
    parts === 1 ? '' : plural(parts, 'part'),
  ]);
  const apart = set.images.filter(({ volumes: where }) => where.length > 1).length;
  return [
    '',
    renderTable(['VOLUME', 'IMAGES', 'BLOBS', 'BYTES', 'FULL', ''], rows, { right: [1, 2, 3, 4] }),
    `${plural(volumes.length, 'volume')}; ${formatCount(set.images.length - apart)} images are whole on one, ` +
      `${formatCount(apart)} share layers with an earlier one`,
  ];
}
