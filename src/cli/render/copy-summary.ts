import { countStatuses } from '../../copy/count-outcomes.ts';
import { imageStatuses, type CopyReport } from '../../copy/events.ts';
import { formatBytes, formatCount, formatSeconds, plural } from '../../io/sizes.ts';

/** What a command does with bytes, and what it calls those that need not move. */
const verbs = {
  push: { moved: 'sent', spared: 'mounted or already there' },
  export: { moved: 'written', spared: 'shared or already there' },
  load: { moved: 'loaded', spared: 'shared or already there' },
} as const;

/**
 * What became of everything, in one line:
 * `5,184 images (12 present): 3.1 GB sent, 6.2 GB mounted or already there, 2 failed, 4 m 10 s`.
 * @param run.seconds since the command was started: people wait for the preflight, too
 */
export function renderCopySummary(
  { images, blobs }: CopyReport,
  run: { readonly command: keyof typeof verbs; readonly seconds: number },
): string {
  const { copied, present, skipped, failed } = countStatuses(images, imageStatuses);
  const untried = images.filter((image) => image.untried === true).length;
  const { moved, spared } = verbs[run.command];
  const parts = [
    `${formatBytes(blobs.bytes)} ${(blobs.placed ?? 0) > 0 ? 'placed and sent' : moved}`,
    ...(blobs.serverCopiedBytes === undefined
      ? []
      : [`${formatBytes(blobs.serverCopiedBytes)} copied by the server (unhashed)`]),
    ...(blobs.spared > 0 ? [`${formatBytes(blobs.spared)} ${spared}`] : []),
    ...(skipped > 0 ? [`${formatCount(skipped)} skipped`] : []),
    ...(failed > untried ? [`${formatCount(failed - untried)} failed`] : []),
    ...(untried > 0 ? [`${formatCount(untried)} not tried`] : []),
    formatSeconds(run.seconds),
  ];
  const there = present > 0 ? ` (${formatCount(present)} present)` : '';
  return `${plural(copied + present, 'image')}${there}: ${parts.join(', ')}`;
}

/** The same for programs. */
export function summaryJson({ images, blobs, seconds }: CopyReport): Record<string, unknown> {
  return { images: { ...countStatuses(images, imageStatuses) }, blobs: { ...blobs }, seconds };
}
