import { groupBy } from '../io/group-by.ts';
import type { Reason, Tone, Verdict } from './page/model.ts';
import type { Report, ReportError, ReportImage, ReportStatus } from './report.ts';
import { formatCount, plural } from '../io/sizes.ts';

/** How each status looks: what is in the target is green, what was left out or not reached amber, what failed red. */
export const tones = {
  copied: 'good',
  present: 'good',
  skipped: 'warn',
  failed: 'bad',
  unfinished: 'warn',
} as const satisfies Record<ReportStatus, Tone>;

/** How many images arrived, and of the others how many have which reason, the most frequent first. */
export function verdictOf(report: Report): Verdict {
  const { images, error, state } = report;
  const { copied, present, skipped, failed, unfinished } = report.totals.images;
  const missing = report.shards?.missing ?? [];
  const part = report.shard === undefined ? '' : ` of part ${report.shard.index} of ${report.shard.count}`;
  const text = [
    `${formatCount(copied + present)} of ${plural(images.length, 'image')}${part} arrived`,
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
    ...(skipped > 0 ? [`${formatCount(skipped)} skipped`] : []),
    ...(unfinished > 0 ? [`${formatCount(unfinished)} unfinished`] : []),
    ...(missing.length > 0
      ? [`${missing.length === 1 ? 'part' : 'parts'} ${missing.join(', ')} of ${report.shards?.count ?? 0} missing`]
      : []),
  ].join(', ');
  return {
    text,
    tone: toneOf(report),
    ...(state === 'running' && { note: 'The run had not ended when this was written, or was cut off.' }),
    reasons: [...(error === undefined ? [] : [endedEarly(error)]), ...reasonsOf(images)],
  };
}

function toneOf({ state, images, totals, shards }: Report): Tone {
  const { failed, unfinished, skipped } = totals.images;
  if (failed > 0 || (unfinished > 0 && state !== 'running') || (shards?.missing.length ?? 0) > 0) return 'bad';
  if (state === 'failed' || state === 'interrupted') return 'bad';
  return skipped > 0 || state === 'running' || images.length === 0 ? 'warn' : 'good';
}

function endedEarly({ code, message, hint }: ReportError): Reason {
  return { count: 'ended early', tone: 'bad', code, text: message, ...(hint !== undefined && { hint }) };
}

/** What failed before what was left out on purpose. */
function reasonsOf(images: readonly ReportImage[]): Reason[] {
  return (['failed', 'unfinished', 'skipped'] as const).flatMap((status) =>
    groupBy(
      images.flatMap((image) => (image.status === status && image.error !== undefined ? [image.error] : [])),
      ({ code }) => code,
    ).map(([code, same]) => reason(status, code, same)),
  );
}

function reason(status: ReportStatus, code: string, same: readonly [ReportError, ...ReportError[]]): Reason {
  const [{ message, hint }] = same;
  return {
    count: `${formatCount(same.length)} ${status}`,
    tone: tones[status],
    code,
    text: same.some((other) => other.message !== message) ? `for example ${message}` : message,
    // Hints that differ stand in the table, each with its image.
    ...(hint !== undefined && same.every((other) => other.hint === hint) && { hint }),
  };
}
