import { RegtarError, type Problem } from '../../errors.ts';
import { isDigest, type Digest } from '../../oci/digest.ts';
import { isJsonObject, tryJson } from '../../io/try-json.ts';

/** One descriptor of an index.json, as far as names go: what the image is, its manifest says. */
export interface ReadEntry {
  readonly digest: Digest;
  readonly annotations: Readonly<Record<string, string | undefined>>;
}

/** What one index.json may list: a million tags take more memory than reading them is worth. */
const mostIndexEntries = 500_000;

/**
 * Reads an index.json that anybody may have written.
 * @param path for messages
 * @throws RegtarError MANIFEST_INVALID where it lists nothing that can be read, SOURCE_TOO_LARGE
 */
export function readIndexEntries(
  bytes: Uint8Array,
  path: string,
  report: (problem: Problem) => void,
): readonly ReadEntry[] {
  const index = tryJson(bytes, path);
  const manifests = isJsonObject(index) ? index['manifests'] : undefined;
  if (!Array.isArray(manifests))
    throw new RegtarError('MANIFEST_INVALID', `${path} is not the index of an OCI layout`, {
      side: 'source',
      where: { path },
      hint: 'was the copy interrupted? The tool that made it can make it again',
    });
  if (manifests.length > mostIndexEntries)
    throw new RegtarError('SOURCE_TOO_LARGE', `${path} lists ${manifests.length} images`, {
      where: { path },
      hint:
        `regtar reads layouts of up to ${mostIndexEntries} images; split it, or write one layout for ` +
        'each repository',
    });
  const entries: ReadEntry[] = [];
  for (const entry of manifests as readonly unknown[]) {
    const digest = isJsonObject(entry) ? entry['digest'] : undefined;
    if (typeof digest === 'string' && isDigest(digest)) {
      entries.push({ digest, annotations: annotationsOf(entry) });
      continue;
    }
    report({
      code: 'DIGEST_INVALID',
      path,
      message: `${path} lists "${String(digest).slice(0, 200)}", which is not a digest; skipped`,
    });
  }
  return entries;
}

function annotationsOf(entry: unknown): Readonly<Record<string, string>> {
  const annotations = isJsonObject(entry) ? entry['annotations'] : undefined;
  if (!isJsonObject(annotations)) return {};
  const texts = Object.entries(annotations).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return Object.fromEntries(texts);
}
