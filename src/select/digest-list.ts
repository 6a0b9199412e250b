import { RegtarError } from '../errors.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { compareCodePoints } from '../oci/reference.ts';

/** First line of the file that `--save-digests` writes: what the other side has after an export. */
const header = '# regtar digests 1';

/** A header, then one digest a line, sorted. */
export function formatDigestList(digests: Iterable<Digest>): string {
  return `${[header, ...[...new Set(digests)].sort(compareCodePoints)].join('\n')}\n`;
}

/** Whether a text begins as `--save-digests` writes it. */
export function isDigestList(start: string): boolean {
  return start.startsWith(header);
}

/** @throws RegtarError REPORT_INVALID naming the line */
export function parseDigestList(text: string): ReadonlySet<Digest> {
  const digests = new Set<Digest>();
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    if (!isDigest(content))
      throw new RegtarError(
        'REPORT_INVALID',
        `line ${index + 1} of the digests of the last export is not a digest: "${content.slice(0, 140)}"`,
        { hint: 'give a file that `export --save-digests` wrote' },
      );
    digests.add(content);
  }
  return digests;
}
