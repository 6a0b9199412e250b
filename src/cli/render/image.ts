import type { PlatformFacts } from '../../content/platform-facts.ts';
import type { ImageDetail } from '../commands/inspect-image.ts';
import { printable } from '../../io/printable.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatImageReference } from '../../oci/reference.ts';
import { formatBytes, plural } from '../../io/sizes.ts';
import { renderTable } from './table.ts';

type Facts = readonly (readonly [name: string, value: string])[];

/** `regtar inspect REF` for people. */
export function renderImage(image: ImageDetail, columns: number | undefined): string {
  const { images = [], manifests, layers } = image;
  const parts = [formatImageReference(image), '', ...renderFacts(imageFacts(image))];
  if (manifests) parts.push('', manifestsTable(manifests, columns));
  for (const each of images) {
    const isOnly = manifests === undefined;
    parts.push('', ...(isOnly ? [] : [`${each.platform}  ${each.digest}`]), ...renderFacts(configFacts(each)));
    parts.push(
      '',
      layersTable(each.layers, columns),
      `${plural(each.layers.length, 'layer')}, ${formatBytes(each.bytes)} in all`,
    );
  }
  if (images.length === 0 && layers !== undefined && layers.length > 0) parts.push('', layersTable(layers, columns));
  for (const problem of image.problems) parts.push('', `${problem.code}: ${printable(problem.message)}`);
  return parts.join('\n');
}

function imageFacts(image: ImageDetail): Facts {
  const { artifact } = image;
  const chart = [artifact.name, artifact.version].filter((part) => part !== undefined).join(' ');
  return [
    ['kind', `${artifact.kind}${chart === '' ? '' : `: ${chart}`}`],
    ...optional('installs', artifact.appVersion),
    ...optional('of', artifact.of && [...(artifact.names ?? []), artifact.of].join(', ')),
    ['digest', image.digest],
    ['media type', image.mediaType],
    ...optional('artifact type', image.artifactType),
    ...optional('platforms', image.platforms?.join(', ')),
    ['bytes', formatBytes(image.bytes)],
    ...Object.entries(image.annotations ?? {}).map(([key, value]) => ['annotation', `${key}=${value}`] as const),
    ...image.referrers.map(
      ({ tag, digest }) => ['referrer', tag === undefined ? digest : `${tag} (${digest})`] as const,
    ),
    ...image.history.filter((digest) => digest !== image.digest).map((digest) => ['earlier', digest] as const),
  ];
}

/** Values of the environment stay out: they may be secrets, and this is copied into tickets. */
function configFacts(image: PlatformFacts): Facts {
  return [
    ...optional('created', image.created),
    ...optional('entrypoint', words(image.entrypoint)),
    ...optional('command', words(image.command)),
    ...optional('environment', image.environment.join(', ')),
    ...optional('directory', image.workingDirectory),
    ...optional('user', image.user),
    ...optional('ports', image.ports.join(', ')),
    ...optional('volumes', image.volumes.join(', ')),
    ...Object.entries(image.labels).map(([key, value]) => ['label', `${key}=${value}`] as const),
  ];
}

/** As a shell would take them, so that the parts of a command stay apart. */
function words(parts: readonly string[]): string {
  return parts.map((part) => (/^[\w./:=@%+,-]+$/.test(part) ? part : JSON.stringify(part))).join(' ');
}

function renderFacts(facts: Facts): readonly string[] {
  return facts.map(([name, value]) => `${name.padEnd(13)}  ${printable(value)}`);
}

function manifestsTable(manifests: NonNullable<ImageDetail['manifests']>, columns: number | undefined): string {
  return renderTable(
    ['PLATFORM', 'MANIFEST', 'BYTES', 'KIND', ''],
    manifests.map((child) => [
      child.platform ? formatPlatform(child.platform) : '-',
      child.digest,
      formatBytes(child.size),
      child.kind ?? '-',
      child.present ? '' : 'missing',
    ]),
    { right: [2], columns },
  );
}

function layersTable(layers: NonNullable<ImageDetail['layers']>, columns: number | undefined): string {
  return renderTable(
    ['LAYER', 'BYTES', 'MEDIA TYPE', ''],
    layers.map((layer) => [layer.digest, formatBytes(layer.size), layer.mediaType, layer.present ? '' : 'missing']),
    { right: [1], columns },
  );
}

function optional(name: string, value: string | undefined): Facts {
  return value === undefined || value === '' ? [] : [[name, value]];
}
