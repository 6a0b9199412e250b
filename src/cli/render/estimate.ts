import type { Estimate } from '../../push/estimate.ts';
import { formatBytes, formatCount, plural } from '../../io/sizes.ts';

/** What a push would do, below the table of `--dry-run`. */
export function renderEstimate(
  { images, upload, mount, requests, place, lacking }: Estimate,
  projectsToCreate: readonly string[],
): string[] {
  const counts = [
    `${formatCount(images.new)} new`,
    `${formatCount(images.changed)} changed`,
    `${formatCount(images.present)} present`,
    ...(images.skipped > 0 ? [`${formatCount(images.skipped)} skipped`] : []),
    `${formatCount(images.refused)} refused`,
  ];
  return [
    ...(projectsToCreate.length > 0 ? [`projects to create: ${projectsToCreate.join(', ')}`] : []),
    `images: ${counts.join(', ')}`,
    ...(place === undefined ? [] : [`to place: ${plural(place.blobs, 'blob')}, ${formatBytes(place.bytes)}`]),
    ...(lacking === undefined
      ? []
      : [
          `not in SOURCE: ${plural(lacking.inTarget.blobs, 'blob')}, ${formatBytes(lacking.inTarget.bytes)}, in ` +
            `the target; ${plural(lacking.nowhere.blobs, 'blob')}, ${formatBytes(lacking.nowhere.bytes)}, nowhere`,
        ]),
    `to upload: ${plural(upload.blobs, 'blob')}, ${formatBytes(upload.bytes)}; to mount: ` +
      `${plural(mount.blobs, 'blob')}, ${formatBytes(mount.bytes)}; about ${plural(requests, 'request')}`,
  ];
}
