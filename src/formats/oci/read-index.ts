import { RegtarError, type Problem } from '../../errors.ts';
import { isDigest, type Digest } from '../../oci/digest.ts';
import { createHeapGuard } from '../../io/heap-guard.ts';
import { parseJsonList, type JsonList } from '../../io/json-list.ts';
import { isJsonObject, tryJson } from '../../io/try-json.ts';

/** One descriptor of an index.json, as far as names go: what the image is, its manifest says. */
export interface ReadEntry {
  readonly digest: Digest;
  readonly annotations: Readonly<Record<string, string | undefined>>;
}

/** Up to here all of it is parsed at once, which is quicker, in bytes. */
const smallIndex = 8 * 1024 * 1024;

/**
 * Reads an index.json that anybody may have written.
 * @param path for messages
 * @throws RegtarError MANIFEST_INVALID where it lists nothing that can be read, MEMORY_FULL
 */
export function readIndexEntries(
  bytes: Uint8Array,
  path: string,
  report: (problem: Problem) => void,
): readonly ReadEntry[] {
  const manifests = bytes.length <= smallIndex ? listedIn(bytes, path) : parseJsonList(bytes, 'manifests', path);
  if (manifests === undefined) throw notAnIndex(path);
  const refuseFullHeap = createHeapGuard(path, 'MEMORY_FULL');
  const entries: ReadEntry[] = [];
  for (let index = 0; index < manifests.length; index++) {
    refuseFullHeap();
    const entry = manifests.item(index);
    if (entry === undefined) throw notAnIndex(path);
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

function notAnIndex(path: string): RegtarError {
  return new RegtarError('MANIFEST_INVALID', `${path} is not the index of an OCI layout`, {
    side: 'source',
    where: { path },
    hint: 'was the copy interrupted? The tool that made it can make it again',
  });
}

function listedIn(bytes: Uint8Array, path: string): Pick<JsonList, 'length' | 'item'> | undefined {
  const index = tryJson(bytes, path);
  const manifests: unknown = isJsonObject(index) ? index['manifests'] : undefined;
  return Array.isArray(manifests) ? { length: manifests.length, item: (at) => manifests[at] as unknown } : undefined;
}

function annotationsOf(entry: unknown): Readonly<Record<string, string>> {
  const annotations = isJsonObject(entry) ? entry['annotations'] : undefined;
  if (!isJsonObject(annotations)) return {};
  const texts = Object.entries(annotations).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return Object.fromEntries(texts);
}
