import { RegtarError } from '../errors.ts';
import { formatImageReference } from '../oci/reference.ts';
import type { PlannedImage } from '../select/plan.ts';
import type { Report, ReportImage } from './report.ts';

/**
 * Requires that everything that is planned stands in a signed report, under the same name and with the same digest:
 * what the signer saw arrive is what travels on, and nothing else. A name is either the one in the report's source or
 * the one under which the image arrived.
 * @param path of the report, for the message
 * @throws RegtarError IMAGE_UNSIGNED naming the images that are not in it
 */
export function requireSignedImages(images: readonly PlannedImage[], report: Report, path: string): void {
  const signed = new Set(report.images.filter(hasArrived).flatMap(namesOf));
  const others = images.filter(({ source, target }) => !signed.has(keyOf(source, target.root.digest)));
  if (others.length === 0) return;
  const names = others.slice(0, namesShown).map(({ source }) => formatImageReference(source));
  const rest = others.length - names.length;
  const count = images.length === 1 ? 'the only image is' : `${others.length} of ${images.length} images are`;
  throw new RegtarError(
    'IMAGE_UNSIGNED',
    `${count} not in ${path} with the same digest: ${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`,
    { hint: 'choose what was signed with --images or --include, or have a report of these images signed' },
  );
}

const namesShown = 5;

function hasArrived({ status }: ReportImage): boolean {
  return status === 'copied' || status === 'present';
}

function namesOf({ repository, tag, digest, arrived }: ReportImage): readonly string[] {
  const digests = [digest, arrived?.digest].filter((each) => each !== undefined);
  const names = [{ repository, tag }, ...(arrived === undefined ? [] : [arrived])];
  return names.flatMap((name) => digests.map((each) => keyOf(name, each)));
}

function keyOf(
  { repository, tag }: { readonly repository: string; readonly tag?: string | undefined },
  digest: string,
): string {
  return `${repository}:${tag ?? ''}@${digest}`;
}
