import { tryJson } from '../../io/try-json.ts';

/** One image in `manifest.json`, with paths in the archive as they stand there. */
export interface SavedImage {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/**
 * Reads a `manifest.json` that anybody may have written. Paths are looked up among the archive's own files and nowhere
 * else.
 * @returns undefined where it is something else, such as the manifest of a `dir` image
 */
export function readSavedImages(bytes: Uint8Array): readonly SavedImage[] | undefined {
  const list = tryJson(bytes);
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const images = (list as readonly unknown[]).flatMap((item): SavedImage[] => {
    if (typeof item !== 'object' || item === null) return [];
    const { Config, RepoTags, Layers } = item as Readonly<Record<string, unknown>>;
    if (typeof Config !== 'string' || !isTexts(Layers)) return [];
    return [{ config: Config, layers: Layers, tags: isTexts(RepoTags) ? RepoTags : [] }];
  });
  return images.length === 0 ? undefined : images;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
