import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ImageTarget } from '../../src/content/contracts.ts';
import {
  emptyIndex,
  formatLayoutIndex,
  indexEntry,
  mergeIndex,
  newLayoutIndex,
} from '../../src/formats/oci/index-file.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { digests } from '../support/arbitraries.ts';

const targets = fc.record({
  repository: fc.constantFrom('a', 'a/b', 'a-b', 'k8s.gcr.io/pause'),
  tag: fc.constantFrom(undefined, '1', '1.0', '1-0', 'v2'),
  referrer: fc.constant(false),
  blobs: fc.constant([]),
  root: fc.record({ mediaType: fc.constant(mediaTypes.ociManifest), digest: digests, size: fc.nat() }),
});

describe('the index of a layout in pieces', () => {
  it.each([
    { refName: 'full' as const, prefix: undefined },
    { refName: 'full' as const, prefix: 'registry.example/mirror' },
    { refName: 'tag' as const, prefix: undefined },
  ])('is what all entries together make: %o', (naming) => {
    fc.assert(
      fc.property(fc.array(targets, { maxLength: 30 }), fc.boolean(), (images: readonly ImageTarget[], referrers) => {
        const all = images.map((image, index) => ({ ...image, referrer: referrers && index % 3 === 0 }));
        // A name is a referrer's or an image's.
        const named = all.filter(
          (image) => !all.some((other) => other.tag === image.tag && other.referrer !== image.referrer),
        );
        const pieces = newLayoutIndex(named, naming);
        const whole = formatLayoutIndex(
          mergeIndex(
            emptyIndex,
            named.map((target) => indexEntry(target, naming)),
          ),
        );
        expect(Buffer.concat([...pieces]).toString()).toBe(whole.toString());
        expect(pieces.length).toBe(whole.length);
      }),
    );
  });
});
