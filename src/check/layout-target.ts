import { createDigester, digestAlgorithm, digestHex, isDigest, type Digest } from '../oci/digest.ts';
import type { Body } from '../io/body.ts';
import type { CheckedTarget, ExpectedImage } from './contract.ts';
import type { Files } from './files.ts';

/** Names by which a descriptor of an index.json may go: what loaders see, and what regtar calls those that loaders shall not see. */
const nameKeys = ['org.opencontainers.image.ref.name', 'io.containerd.image.name', 'vnd.regtar.image.name'];

/**
 * An OCI layout, as a folder or an archive; docker archives of regtar are layouts too. A layout for each repository is found in a folder of its name.
 * @see OCI image-spec v1.1 image-layout.md
 */
export function layoutTarget(files: Files): CheckedTarget {
  const isOne = files.size('index.json') !== undefined;
  const folderOf = ({ repository }: ExpectedImage): string => (isOne ? '' : `${repository}/`);
  const indexes = new Map<string, ReadonlyMap<string, Digest>>();
  const namesIn = (folder: string): ReadonlyMap<string, Digest> => {
    const known = indexes.get(folder) ?? readNames(files.read(`${folder}index.json`));
    indexes.set(folder, known);
    return known;
  };
  const pathOf = (image: ExpectedImage, digest: Digest): string =>
    `${folderOf(image)}blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
  return {
    describe: files.describe,
    parallel: 2,
    async digestOf(image) {
      const names = namesIn(folderOf(image));
      const full = `${image.repository}${image.tag === undefined ? `@${image.digest}` : `:${image.tag}`}`;
      const found =
        names.get(full) ??
        (isOne || image.tag === undefined ? undefined : names.get(image.tag)) ??
        [...names].find(([name]) => name.endsWith(`/${full}`))?.[1];
      return found;
    },
    readManifest: async (image, digest) => files.read(pathOf(image, digest)),
    statBlob: async (image, digest) => files.size(pathOf(image, digest)),
    hashBlob: async (image, digest) => hashBody(files.open(pathOf(image, digest)), digest),
    placeOf: folderOf,
  };
}

/** Reads a body to its end. */
export async function hashBody(body: Body, expected: Digest): Promise<Digest> {
  const digester = createDigester(digestAlgorithm(expected));
  for await (const chunk of body) digester.update(chunk);
  return digester.digest();
}

/** Whatever else an index holds, only what has a name and a digest can be asked for. */
function readNames(bytes: Uint8Array | undefined): ReadonlyMap<string, Digest> {
  const names = new Map<string, Digest>();
  const index: unknown = bytes === undefined ? undefined : parseJson(bytes);
  const manifests = isRecord(index) && Array.isArray(index['manifests']) ? index['manifests'] : [];
  for (const entry of manifests.filter(isRecord)) {
    const { digest, annotations } = entry;
    if (typeof digest !== 'string' || !isDigest(digest) || !isRecord(annotations)) continue;
    for (const key of nameKeys) if (typeof annotations[key] === 'string') names.set(annotations[key], digest);
  }
  return names;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
