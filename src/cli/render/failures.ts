import type { RegtarError } from '../../errors.ts';
import { formatImageReference } from '../../oci/reference.ts';
import { formatError } from '../output.ts';
import { plural } from '../../io/sizes.ts';
import { someOf } from './some-of.ts';

/** An image that did not arrive, or will not. */
export interface FailedImage {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
  readonly status: string;
  readonly error: RegtarError;
  readonly untried?: true;
}

/**
 * Every failed image by name; images with the same reason share its words. What failed because the target is gone is
 * one reason.
 */
export function renderFailures(images: readonly FailedImage[], verbose: boolean): string[] {
  const groups = new Map<string, FailedImage[]>();
  const outage = images.find(({ untried }) => untried === true)?.error;
  for (const image of images) {
    const isOutage =
      !verbose && image.untried !== true && image.error.code === outage?.code && image.error.hint === outage.hint;
    const key = isOutage ? 'outage' : `${image.status} ${image.error.code} ${image.error.message}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [image]);
    else group.push(image);
  }
  return [...groups.values()].map((group) => renderGroup(group, verbose));
}

function renderGroup(group: readonly FailedImage[], verbose: boolean): string {
  const [first] = group;
  if (first === undefined) return '';
  const names = group.map((image) => formatImageReference(image));
  const words = `${first.status === 'skipped' ? 'skipped: ' : ''}${formatError(first.error, verbose)}`;
  // What an output cannot hold is no surprise, and of what a gone registry or a full project leaves behind one image is
  // as good as the next.
  if (first.status === 'skipped' || first.untried === true || first.error.code === 'QUOTA_EXCEEDED')
    return `${words}\n${plural(names.length, 'image')}: ${someOf(names, verbose)}`;
  if (names.length === 1 && names[0] !== undefined && first.error.message.includes(names[0])) return words;
  return [words, `${plural(names.length, 'image')}:`, ...names.map((name) => `  ${name}`)].join('\n');
}
