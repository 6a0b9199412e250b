import { createHash } from 'node:crypto';
import { file } from '../../support/tar-builder.ts';

/** The name that skopeo, podman and oras give an entry of an index.json. */
export const refName = 'org.opencontainers.image.ref.name';
/** The name that containerd and docker give it. */
export const containerdName = 'io.containerd.image.name';
export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
export const indexType = 'application/vnd.oci.image.index.v1+json';

/** A file of an archive or a folder. */
export interface Member {
  readonly path: string;
  readonly bytes: Buffer;
}

export const hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** A blob where a layout has it. */
export const blob = (bytes: Buffer): Member => ({ path: `blobs/sha256/${hex(bytes)}`, bytes });

export const layoutMember: Member = { path: 'oci-layout', bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') };

export const indexMember = (...manifests: readonly unknown[]): Member => ({
  path: 'index.json',
  bytes: json({ schemaVersion: 2, manifests }),
});

/** An entry of an index.json. Sizes there count for nothing. */
export const entry = (digest: string, name?: string, annotations: Readonly<Record<string, string>> = {}): object => ({
  mediaType: manifestType,
  digest,
  size: 1,
  annotations: { ...(name !== undefined && { [refName]: name }), ...annotations },
});

/** An image with a config and no more layers than are given, as the blobs of a layout. */
export function ociImage(
  text: string,
  layers: readonly Buffer[] = [],
): {
  readonly members: readonly Member[];
  readonly digest: string;
  readonly config: Buffer;
  readonly manifest: Buffer;
} {
  const diffIds = layers.map((bytes) => `sha256:${hex(bytes)}`);
  const config = json({
    os: 'linux',
    architecture: 'amd64',
    note: text,
    rootfs: { type: 'layers', diff_ids: diffIds },
  });
  const described = (bytes: Buffer, mediaType: string): object => ({
    mediaType,
    digest: `sha256:${hex(bytes)}`,
    size: bytes.length,
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: described(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((bytes) => described(bytes, 'application/vnd.oci.image.layer.v1.tar')),
  });
  const members = [...layers, config, manifest].map(blob);
  return { members, digest: `sha256:${hex(manifest)}`, config, manifest };
}

/** Members as a tar has them. */
export const tarMembers = (members: readonly Member[]): Buffer[] => members.map(({ path, bytes }) => file(path, bytes));
