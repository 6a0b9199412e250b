import { countStatuses } from '../../copy/count-outcomes.ts';
import { imageStatuses, type CopyReport } from '../../copy/events.ts';
import { formatBytes, formatCount, formatSeconds, plural } from './sizes.ts';

/**
 * What became of everything, in one line: `5,184 images, 3.1 GB sent, 6.2 GB mounted or present, 2 failed, 4 m 10 s`.
 */
export function renderCopySummary({ images, blobs, seconds }: CopyReport): string {
  const { copied, present, skipped, failed } = countStatuses(images, imageStatuses);
  const untried = images.filter((image) => image.untried === true).length;
  return [
    plural(copied + present, 'image'),
    `${formatBytes(blobs.bytes)} ${(blobs.placed ?? 0) > 0 ? 'placed and sent' : 'sent'}`,
    ...(blobs.spared > 0 ? [`${formatBytes(blobs.spared)} mounted or present`] : []),
    ...(skipped > 0 ? [`${formatCount(skipped)} skipped`] : []),
    ...(failed > untried ? [`${formatCount(failed - untried)} failed`] : []),
    ...(untried > 0 ? [`${formatCount(untried)} not tried`] : []),
    formatSeconds(seconds),
  ].join(', ');
}

/** The same for programs. */
export function summaryJson({ images, blobs, seconds }: CopyReport): Record<string, unknown> {
  return { images: { ...countStatuses(images, imageStatuses) }, blobs: { ...blobs }, seconds };
}
