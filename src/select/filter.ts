import picomatch from 'picomatch';
import { RegtarError } from '../errors.ts';
import { formatImageReference, parseNamedImage, type ImageName } from '../oci/reference.ts';

/** Which images are wanted: globs in and out, and a list of names. */
export interface FilterOptions {
  /**
   * Globs on `repository:tag`; one without `:` matches repositories. `*` stays within a path component, `**` does not.
   */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  /** Exact `repository:tag` or `repository@digest` names; undefined means all. */
  readonly images?: ReadonlySet<string> | undefined;
}

/** An image that a filter judges. */
export type FilteredImage = ImageName & { readonly digest: string };

/** Whether an image is wanted. */
export interface ImageFilter {
  (name: FilteredImage): boolean;
  /** Whether a manifest was asked for by its digest: then it travels although no tag names it. Absent: none was. */
  readonly namesRevision?: (name: FilteredImage) => boolean;
  /**
   * Whether it was asked to be left out: then it does not come with what it refers to either. Absent: nothing was.
   */
  readonly excludes?: (name: FilteredImage) => boolean;
}

/** @throws RegtarError FILTER_INVALID for an empty glob */
export function createFilter(options: FilterOptions): ImageFilter {
  const included = (options.include ?? []).map(matchesImage);
  const excluded = (options.exclude ?? []).map(matchesImage);
  const byDigest = (options.include ?? []).filter((glob) => glob.includes('@')).map(matchesImage);
  const { images } = options;
  const excludes = (name: FilteredImage): boolean => excluded.some((matches) => matches(name));
  const filter = (name: FilteredImage): boolean => {
    if (images !== undefined && !namesOf(name).some((text) => images.has(text))) return false;
    if (included.length > 0 && !included.some((matches) => matches(name))) return false;
    return !excludes(name);
  };
  const namesRevision = (name: FilteredImage): boolean =>
    filter(name) &&
    (byDigest.some((matches) => matches(name)) || images?.has(`${name.repository}@${name.digest}`) === true);
  const asksForDigests = byDigest.length > 0 || [...(images ?? [])].some((name) => name.includes('@'));
  return Object.assign(filter, { excludes, ...(asksForDigests && { namesRevision }) });
}

/**
 * Parses an `images.list`: one name a line, `#` begins a comment. A host before a name is kept; `resolveNames` says
 * what it means.
 * @throws RegtarError REFERENCE_INVALID naming the line
 */
export function parseImagesList(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    const name = line.replace(/(?:^|\s)#.*$/, '').trim();
    if (name === '') continue;
    try {
      const { host, ...image } = parseNamedImage(name);
      if (image.tag === undefined && image.digest === undefined)
        throw new RegtarError('REFERENCE_INVALID', `"${name}" names neither a tag nor a digest`);
      names.add(`${host === undefined ? '' : `${host}/`}${formatImageReference(image)}`);
    } catch (cause) {
      throw new RegtarError(
        'REFERENCE_INVALID',
        `line ${index + 1} of the images list, "${name.slice(0, 200)}", is not an image reference`,
        { cause, hint: 'write one repository:tag a line, as `regtar list` prints them' },
      );
    }
  }
  return names;
}

function namesOf({ repository, tag, digest }: ImageName): string[] {
  const byDigest = `${repository}@${digest}`;
  return tag === undefined ? [byDigest] : [`${repository}:${tag}`, byDigest];
}

/** What one glob matches. @throws RegtarError FILTER_INVALID for an empty glob */
export function matchesImage(glob: string): (name: FilteredImage) => boolean {
  if (glob.trim() === '')
    throw new RegtarError('FILTER_INVALID', 'a filter is empty', {
      hint: 'filters look like library/nginx, library/nginx:1.* or team/**',
    });
  const matches = picomatch(inSegments(glob), { dot: true, nonegate: true });
  return glob.includes(':')
    ? (name) => namesOf(name).some((text) => matches(inSegments(text)))
    : (name) => matches(name.repository);
}

/**
 * `**` crosses components only where it is one by itself, so the colon stands apart: `**:latest` is the tag of any
 * repository.
 */
function inSegments(text: string): string {
  return text.replace(/@(?=sha\d+:)/g, '/@/').replaceAll(':', '/:/');
}
