import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildStorage } from '../support/storage-builder.ts';
import { sparseMember } from '../support/tar-sparse-builder.ts';

export interface Seed {
  readonly bytes: Buffer;
  /** `repository:tag digest` */
  readonly images: readonly string[];
}

const holes = Buffer.concat([Buffer.alloc(5000), Buffer.from('something'), Buffer.alloc(70_000)]);

const storage = buildStorage((s) => {
  const placed = [
    s.image('library/nginx', '1.27', { layers: ['base', { bytes: Buffer.alloc(70_000, 'layer') }] }),
    s.image('a/b/c/d', 'v1', { format: 'oci', mediaType: false, layers: ['base', 'deep'] }),
    s.image('a/b', 'v1', { algorithm: 'sha512' }),
    s.index('team/multi', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64/v8' }]),
    s.image('sparse', 'v1', { layers: [{ bytes: holes }] }),
  ];
  s.image('team/app', 'latest', { layers: ['base', 'old'] });
  placed.push(s.image('team/app', 'latest', { layers: ['base', 'new'] }));
  return { placed, big: placed[0]!.blobs[2]!.digest };
});
const names = ['library/nginx:1.27', 'a/b/c/d:v1', 'a/b:v1', 'team/multi:v1', 'sparse:v1', 'team/app:latest'];
const images = names.map((name, index) => `${name} ${storage.built.placed[index]!.digest}`);

/** Archives of every kind that people have: built by hand in each dialect and order, and one that a real registry and a real tar made. */
export function makeSeeds(): readonly Seed[] {
  const rewrite = (_path: string, bytes: Buffer, path: string): readonly Uint8Array[] | undefined =>
    bytes.equals(holes)
      ? [
          sparseMember({
            path,
            size: holes.length,
            runs: [{ at: 5000, bytes: holes.subarray(5000, 5009) }],
            form: 'pax-1.0',
          }),
        ]
      : undefined;
  return [
    { bytes: storage.tar({ recordBytes: 10_240 }), images },
    { bytes: storage.tar({ dialect: 'pax', order: 'links-first' }), images },
    {
      bytes: storage.tar({ order: 'mixed', directories: false, rewrite, root: 'var/lib/registry/docker/registry/v2' }),
      images,
    },
    {
      bytes: storage.tar({
        order: 'mixed',
        aliases: [{ digest: storage.built.big, path: 'docker/skopeo/nginx/layer', kind: 'hard' }],
      }),
      images,
    },
    {
      bytes: storage.tar({
        aliases: [{ digest: storage.built.big, path: 'docker/skopeo/nginx/layer', kind: 'symbolic' }],
      }),
      images,
    },
    { bytes: readFileSync(fileURLToPath(new URL('../../testdata/docker.tar', import.meta.url))), images: [] },
  ];
}
