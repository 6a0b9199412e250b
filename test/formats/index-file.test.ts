import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ImageTarget } from '../../src/content/contracts.ts';
import {
  parseLayoutIndex,
  emptyIndex,
  indexEntry,
  layoutIndex,
  type Naming,
} from '../../src/formats/oci/index-file.ts';
import { compareCodePoints } from '../../src/oci/reference.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { digests } from '../support/arbitraries.ts';

const targets = fc.record({
  repository: fc.constantFrom('a', 'a/b', 'a-b', 'k8s.gcr.io/pause'),
  tag: fc.constantFrom(undefined, '1', '1.0', '1-0', 'v2'),
  referrer: fc.constant(false),
  blobs: fc.constant([]),
  root: fc.record({ mediaType: fc.constant(mediaTypes.ociManifest), digest: digests, size: fc.nat() }),
});

type Entry = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, unknown>>;

function nameOf(entry: Entry): { readonly key: string; readonly isLast: boolean } {
  const names = (entry['annotations'] ?? {}) as Readonly<Record<string, string | undefined>>;
  const [ref, containerd, own] = [
    names['org.opencontainers.image.ref.name'],
    names['io.containerd.image.name'],
    names['vnd.regtar.image.name'],
  ];
  return { key: ref ?? containerd ?? own ?? '', isLast: own !== undefined && containerd === undefined };
}

/** The same, with everything in memory at once. */
function wholeIndex(fields: Fields, existing: readonly Entry[], added: readonly ImageTarget[], naming: Naming): string {
  const entries = new Map<string, Entry>();
  const fresh = added.map((target) => indexEntry(target, naming));
  const taken = new Set(fresh.map((entry) => nameOf(entry).key));
  for (const [position, entry] of existing.entries()) {
    const { key } = nameOf(entry);
    if (!taken.has(key)) entries.set(key === '' ? ` ${position}` : key, entry);
  }
  for (const entry of fresh) entries.set(nameOf(entry).key, entry);
  const sortKey = (entry: Entry): string => {
    const { key, isLast } = nameOf(entry);
    const digest = typeof entry['digest'] === 'string' ? entry['digest'] : '';
    return `${isLast ? '~' : ''}${key} ${digest} ${JSON.stringify(entry)}`;
  };
  const manifests = [...entries.values()].sort((left, right) => compareCodePoints(sortKey(left), sortKey(right)));
  return JSON.stringify({ ...fields, schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

const namings = [
  { refName: 'full' as const, prefix: undefined },
  { refName: 'full' as const, prefix: 'registry.example/mirror' },
  { refName: 'tag' as const, prefix: undefined },
];

/** A name is a referrer's or an image's. */
function distinct(images: readonly ImageTarget[], referrers: boolean): readonly ImageTarget[] {
  const all = images.map((image, index) => ({ ...image, referrer: referrers && index % 3 === 0 }));
  return all.filter((image) => !all.some((other) => other.tag === image.tag && other.referrer !== image.referrer));
}

const foreign = fc.record(
  {
    mediaType: fc.constant(mediaTypes.ociManifest),
    digest: digests,
    size: fc.nat(),
    note: fc.constantFrom('"]}', '\\', 'a "b" \\" [', { deep: [[{ manifests: [1] }]] }),
    annotations: fc.record(
      {
        'org.opencontainers.image.ref.name': fc.constantFrom('1', 'a:1', '~', 'zoo', '\\"'),
        'io.containerd.image.name': fc.constantFrom('a:1', 'b'),
        'vnd.regtar.image.name': fc.constantFrom('a:1', 'c'),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['digest'] },
);

describe('the index of a layout in pieces', () => {
  it.each(namings)('is what all entries together make: %o', (naming) => {
    fc.assert(
      fc.property(fc.array(targets, { maxLength: 30 }), fc.boolean(), (images, referrers) => {
        const named = distinct(images, referrers);
        const pieces = layoutIndex(emptyIndex, named, naming);
        const whole = wholeIndex({}, [], named, naming);
        expect(Buffer.concat([...pieces]).toString()).toBe(whole);
        expect(pieces.length).toBe(Buffer.byteLength(whole));
      }),
    );
  });

  it.each(namings)('keeps what is there, in the same order: %o', (naming) => {
    const fields = fc.constantFrom<Fields>(
      { schemaVersion: 2, manifests: [] },
      { manifests: [], annotations: { manifests: '"]' }, schemaVersion: 2 },
      { note: ['[', ']', { manifests: [] }], manifests: [], mediaType: 'other', 7: 'first' },
    );
    const indents = fc.constantFrom(0, 2);
    fc.assert(
      fc.property(
        fc.tuple(fc.array(targets, { maxLength: 12 }), fc.array(foreign, { maxLength: 12 }), fields, indents),
        ([images, others, shell, indent]) => {
          const named = distinct(images, false);
          const document = Buffer.from(JSON.stringify({ ...shell, manifests: others }, undefined, indent));
          const pieces = layoutIndex(parseLayoutIndex(document, 'index.json'), named, naming);
          // What a document has twice, or no place for, is told as it was read.
          const read = JSON.parse(document.toString()) as { readonly manifests: readonly Entry[] };
          expect(Buffer.concat([...pieces]).toString()).toBe(wholeIndex(read as never, read.manifests, named, naming));
        },
      ),
    );
  });
});
