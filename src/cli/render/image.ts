import type { ImageDetail } from '../commands/inspect-image.ts';
import { printable } from '../../io/printable.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatImageReference } from '../../oci/reference.ts';
import { formatBytes } from './sizes.ts';
import { renderTable } from './table.ts';

/** `regtar inspect REF` for people. */
export function renderImage(image: ImageDetail): string {
  const facts: [string, string][] = [
    ['digest', image.digest],
    ['media type', image.mediaType],
    ...optional('artifact type', image.artifactType),
    ...optional('subject', image.subject?.digest),
    ...optional('platforms', image.platforms?.join(', ')),
    ...optional('created', createdOf(image.config)),
    ...image.referrers.map((referrer): [string, string] => [
      'referrer',
      referrer.tag === undefined ? referrer.digest : `${referrer.tag} (${referrer.digest})`,
    ]),
    ...image.history.filter((digest) => digest !== image.digest).map((digest): [string, string] => ['earlier', digest]),
  ];
  const parts = [
    formatImageReference(image),
    '',
    ...facts.map(([name, value]) => `${name.padEnd(13)}  ${printable(value)}`),
  ];
  const { manifests, layers } = image;
  if (manifests)
    parts.push(
      '',
      renderTable(
        ['PLATFORM', 'MANIFEST', 'BYTES', ''],
        manifests.map((child) => [
          child.platform ? formatPlatform(child.platform) : '-',
          child.digest,
          formatBytes(child.size),
          child.present ? '' : 'missing',
        ]),
        { right: [2] },
      ),
    );
  if (layers && layers.length > 0)
    parts.push(
      '',
      renderTable(
        ['LAYER', 'BYTES', 'MEDIA TYPE', ''],
        layers.map((layer) => [layer.digest, formatBytes(layer.size), layer.mediaType, layer.present ? '' : 'missing']),
        { right: [1] },
      ),
    );
  for (const problem of image.problems) parts.push('', `${problem.code}: ${printable(problem.message)}`);
  return parts.join('\n');
}

function optional(name: string, value: string | undefined): [string, string][] {
  return value === undefined || value === '' ? [] : [[name, value]];
}

function createdOf(config: unknown): string | undefined {
  return typeof config === 'object' && config !== null && 'created' in config && typeof config.created === 'string'
    ? config.created
    : undefined;
}
