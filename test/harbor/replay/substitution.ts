import { createHash } from 'node:crypto';
import type { Recording } from './recording.ts';

/**
 * Bytes in place of the recorded ones, and the digests that follow from them: a manifest that names a
 * substituted blob is another manifest, and so is the index above it.
 */
export interface Substitution {
  /** Bytes for a recorded digest's hexadecimal part; the same ones every time. */
  content(hex: string): Buffer;
  /** Text with every recorded digest, host, session and state replaced by ours. */
  ours(text: string): string;
  /** Remembers what the double called a thing that the recording calls otherwise. */
  learn(recorded: string, ours: string): void;
}

/** @param host the double's `host:port` */
export function substitute(recording: Recording, host: () => string): Substitution {
  const manifests = new Map<string, string>();
  const padded = new Map<string, number>();
  for (const { request, response } of recording.exchanges) {
    // Signed schema 1 would not survive a change.
    if (request.manifestBytes !== undefined)
      padded.set(hexIn(response.headers['Docker-Content-Digest']), request.manifestBytes);
    if (request.body?.startsWith('{"') === true && request.path.includes('/manifests/'))
      manifests.set(hexOf(request.body), request.body);
  }
  const learned = new Map<string, string>();
  const digests = new Map<string, string>();
  const content = (hex: string): Buffer => contentFor(recording, hex);
  const digest = (hex: string): string => {
    const known = digests.get(hex);
    if (known !== undefined) return known;
    const manifest =
      manifests.get(hex) ?? (padded.has(hex) ? paddedManifest(padded.get(hex) ?? 0).toString() : undefined);
    const replaced =
      manifest !== undefined ? hexOf(withDigests(manifest)) : recording.contents.has(hex) ? hexOf(content(hex)) : hex;
    digests.set(hex, replaced);
    return replaced;
  };
  const withDigests = (text: string): string => text.replace(/[0-9a-f]{64}/g, digest);
  return {
    content,
    ours: (text) =>
      withDigests(text)
        .replaceAll('{host}', host())
        .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (uuid) => learned.get(uuid) ?? uuid)
        .replace(/_state=(s\d+)/g, (whole, state: string) =>
          learned.has(state) ? `_state=${learned.get(state) ?? ''}` : whole,
        ),
    learn: (recorded, ours) => {
      learned.set(recorded, ours);
    },
  };
}

/** SHA-256 in hexadecimal. */
function hexOf(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** An image manifest without layers that is exactly this large, in bytes. */
export function paddedManifest(size: number): Buffer {
  const empty = { mediaType: 'application/vnd.oci.empty.v1+json', size: 2, digest: `sha256:${hexOf('{}')}` };
  const build = (filler: string): string =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: empty,
      layers: [],
      annotations: { a: filler },
    });
  return Buffer.from(build('x'.repeat(size - build('').length)));
}

function contentFor(recording: Recording, hex: string): Buffer {
  const content = recording.contents.get(hex);
  if (content === undefined) throw new Error(`the recording has no content for ${hex}`);
  if (content.text !== undefined) return Buffer.from(content.text);
  if (content.kind === 'json')
    return jsonOfSize(
      (filler) => ({
        architecture: 'amd64',
        config: { Env: [`SEED=${hex.slice(0, 8)}${filler}`] },
        created: '2024-01-01T00:00:00Z',
        os: 'linux',
      }),
      content.size,
    );
  if (content.kind === 'bare') return jsonOfSize((filler) => ({ seed: `${hex.slice(0, 8)}${filler}` }), content.size);
  return Buffer.alloc(content.size, `${hex}\n`);
}

function hexIn(digest: string | undefined): string {
  return digest?.slice('sha256:'.length) ?? '';
}

function jsonOfSize(document: (filler: string) => unknown, size: number): Buffer {
  const bare = Buffer.byteLength(JSON.stringify(document('')));
  return Buffer.from(JSON.stringify(document('x'.repeat(Math.max(0, size - bare)))));
}
