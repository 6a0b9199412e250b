import type { HistoryEntry } from '../commands/image-history.ts';

/** `regtar inspect REF --history` for people: a digest a line, ready for --at-digest. */
export function renderHistory(history: readonly HistoryEntry[]): string {
  return history
    .map(
      ({ repository, tag, digest, current, present }) =>
        `${repository}:${tag}@${digest}${current ? '  current' : ''}${present ? '' : '  missing'}`,
    )
    .join('\n');
}
