import { createHash } from 'node:crypto';

/**
 * An image as a reader found it, every byte of it hashed. Shares no code with the product on purpose: this judges what the product wrote.
 */
export interface ReadImage {
  readonly digest: string;
  /** As the root itself says, or its place (an index entry, a response header) where it says nothing. */
  readonly mediaType: string;
  readonly bytes: Buffer;
  /** The root and everything below it that is a manifest, by digest. */
  readonly manifests: ReadonlyMap<string, Buffer>;
  /** Sizes of configs and layers, by digest. */
  readonly blobs: ReadonlyMap<string, number>;
  /** Children that are not there; empty unless `allowMissing` let them be. */
  readonly missing: readonly string[];
  /** Layers that live elsewhere by their `urls` and are not there. */
  readonly foreign: readonly string[];
}

export interface ReadOptions {
  /** Collect absent children of indexes instead of throwing, for sparse outputs. */
  readonly allowMissing?: boolean;
}

/** Gives the bytes that are stored under a digest, or undefined. */
export type Fetch = (digest: string, kind: 'manifest' | 'blob') => Promise<Buffer | undefined>;

interface DescriptorJson {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size?: number;
  readonly urls?: readonly string[];
}

interface ManifestJson {
  readonly mediaType?: string;
  readonly config?: DescriptorJson;
  readonly layers?: readonly DescriptorJson[];
  readonly blobs?: readonly DescriptorJson[];
  readonly manifests?: readonly DescriptorJson[];
  /** Of schema1, which names layers without their sizes. */
  readonly fsLayers?: readonly { readonly blobSum: string }[];
}

/**
 * Reads a root and everything that it names.
 * @throws Error when something is absent, or has another digest or size than its name or its descriptor says
 */
export async function readGraph(
  digest: string,
  fetch: Fetch,
  options: ReadOptions & { readonly mediaType?: string | undefined } = {},
): Promise<ReadImage> {
  const found = {
    manifests: new Map<string, Buffer>(),
    blobs: new Map<string, number>(),
    missing: [] as string[],
    foreign: [] as string[],
  };

  const readManifest = async (child: Pick<DescriptorJson, 'digest'> & Partial<DescriptorJson>): Promise<void> => {
    if (found.manifests.has(child.digest)) return;
    const bytes = await fetch(child.digest, 'manifest');
    if (bytes === undefined) {
      if (options.allowMissing !== true || child.digest === digest)
        throw new Error(`manifest ${child.digest} is absent`);
      found.missing.push(child.digest);
      return;
    }
    check(bytes, child);
    found.manifests.set(child.digest, bytes);
    const json = parse(bytes);
    for (const each of json.manifests ?? []) await readManifest(each);
    const layers = [
      ...(json.layers ?? []),
      ...(json.blobs ?? []),
      ...(json.fsLayers ?? []).map(({ blobSum }) => ({ digest: blobSum })),
    ];
    for (const each of [json.config, ...layers]) if (each !== undefined) await readBlob(each);
  };

  const readBlob = async (blob: Pick<DescriptorJson, 'digest'> & Partial<DescriptorJson>): Promise<void> => {
    const bytes = await fetch(blob.digest, 'blob');
    if (bytes === undefined && blob.urls !== undefined) return void found.foreign.push(blob.digest);
    if (bytes === undefined) throw new Error(`blob ${blob.digest} is absent`);
    check(bytes, blob);
    found.blobs.set(blob.digest, bytes.length);
  };

  await readManifest({ digest });
  const bytes = found.manifests.get(digest) ?? Buffer.alloc(0);
  return { digest, mediaType: parse(bytes).mediaType ?? options.mediaType ?? '', bytes, ...found };
}

/** `sha256:…` or `sha512:…` of bytes, computed here. */
export function hash(bytes: Uint8Array, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

function check(bytes: Buffer, descriptor: { readonly digest: string; readonly size?: number }): void {
  const actual = hash(bytes, descriptor.digest.split(':')[0]);
  if (actual !== descriptor.digest) throw new Error(`${descriptor.digest} holds bytes whose digest is ${actual}`);
  if (descriptor.size !== undefined && descriptor.size !== bytes.length)
    throw new Error(`${descriptor.digest} has ${bytes.length} bytes, its descriptor says ${descriptor.size}`);
}

function parse(bytes: Buffer): ManifestJson {
  return JSON.parse(bytes.toString('utf8')) as ManifestJson;
}
