import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import type { BlobNumbers } from './contracts.ts';

/** Real backups have a dozen media types; names that were made up by the million are kept as they come. */
const mostTexts = 1000;

/** What gives equal parts of many manifests one object each. */
export interface Compactor {
  compact(descriptor: Descriptor): Descriptor;
  compactPlatform(platform: Platform): Platform;
}

/**
 * Every parsed manifest brings strings of its own for the same media types, digests and platforms: half a kilobyte for
 * each of a hundred thousand. The compactor exchanges them for the ones that are there.
 */
export function createCompactor(numbers: BlobNumbers): Compactor {
  const texts = new Map<string, string>();
  const platforms = new Map<string, Platform>();
  const intern = (text: string): string => {
    const known = texts.get(text);
    if (known === undefined && texts.size < mostTexts) texts.set(text, text);
    return known ?? text;
  };
  const compactPlatform = (platform: Platform): Platform => {
    const key = JSON.stringify(platform);
    const known = platforms.get(key);
    if (known === undefined && platforms.size < mostTexts) platforms.set(key, platform);
    return known ?? platform;
  };
  return {
    compact(descriptor) {
      const { mediaType, digest, size, platform, ...others } = descriptor;
      const number = numbers.find(digest);
      const short = { mediaType: intern(mediaType), digest: number < 0 ? digest : numbers.digest(number), size };
      if (platform !== undefined) return { ...short, platform: compactPlatform(platform), ...others };
      for (const _ in others) return { ...short, ...others };
      return short;
    },
    compactPlatform,
  };
}
