import { RegtarError } from '../../errors.ts';
import { tryJson } from '../../io/try-json.ts';

/** One image in `manifest.json`, with paths in the archive as they stand there. */
export interface SavedImage {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/** What one manifest.json may list, images and names: as many as an index.json. */
const mostNames = 500_000;

/**
 * Reads a `manifest.json` that anybody may have written. Paths are looked up among the archive's own files and nowhere
 * else.
 * @param path for messages
 * @returns undefined where it is something else, such as the manifest of a `dir` image
 * @throws RegtarError SOURCE_TOO_LARGE
 */
export function readSavedImages(bytes: Uint8Array, path: string): readonly SavedImage[] | undefined {
  const list = tryJson(bytes);
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const images = (list as readonly unknown[]).flatMap((item): SavedImage[] => {
    if (typeof item !== 'object' || item === null) return [];
    const { Config, RepoTags, Layers } = item as Readonly<Record<string, unknown>>;
    if (typeof Config !== 'string' || !isTexts(Layers)) return [];
    return [{ config: Config, layers: Layers, tags: isTexts(RepoTags) ? RepoTags : [] }];
  });
  const names = images.reduce((sum, { tags }) => sum + Math.max(tags.length, 1), 0);
  if (names > mostNames)
    throw new RegtarError('SOURCE_TOO_LARGE', `${path} lists ${names} names of images`, {
      where: { path },
      hint: `regtar reads docker-archives of up to ${mostNames} names; save fewer images at a time`,
    });
  return images.length === 0 ? undefined : images;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
