import { describe, expect, it } from 'vitest';
import type { Catalog } from '../../src/content/contracts.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { nearImages } from '../../src/select/near-names.ts';
import { resolveNames } from '../../src/select/resolve-name.ts';
import { missingNames } from '../../src/select/unknown-image.ts';
import { unmatchedGlobs, unmatchedMaps } from '../../src/select/unmatched.ts';

const repositories: Readonly<Record<string, readonly string[]>> = {
  'docker.io/library/redis': ['7'],
  'library/nginx': ['1.26', '1.27', 'latest'],
  'team/app/api': ['2.0'],
  'team/app/web': ['2.0', '2.1'],
  tools: ['x'],
};

const catalog: Catalog = {
  repositories: () => Object.keys(repositories),
  tags: (name) =>
    (repositories[name] ?? []).map((tag) => ({ tag, digest: digestOf(Buffer.from(name + tag)), history: [] })),
  lostTags: () => [],
  revisions: () => [],
  layers: () => [],
  blobs: () => [],
  problems: [],
};

describe('globs and maps that match nothing', () => {
  it.each([
    ['team/*', /: \* stays within one component, and 'team\/\*\*' matches 3 images$/],
    ['team/*:2.0', /'team\/\*\*:2\.0' matches 2 images/],
    ['tean/**', /similar names: team\/\*\*/],
    ['nginx', /similar names: library\/nginx/],
    ['library/nginx:1.72', /similar names: library\/nginx:1\.27/],
    ['libary/nginx:1.27', /similar names: library\/nginx/],
    ['zzzzzzzz', /`regtar list` shows what there is/],
  ])('--include %s', (glob, expected) => {
    expect(unmatchedGlobs(catalog, { include: [glob] })).toEqual([expect.stringMatching(expected)]);
    expect(unmatchedGlobs(catalog, { exclude: [glob] })).toEqual([expect.stringMatching(/^--exclude/)]);
  });

  it('those that match say nothing', () => {
    expect(unmatchedGlobs(catalog, { include: ['team/**', '**:latest'], exclude: ['tools'] })).toEqual([]);
    expect(unmatchedMaps(catalog, ['tools=infra/tools', 'team/**=t/**'])).toEqual([]);
  });

  it('a map', () => {
    expect(unmatchedMaps(catalog, ['team/*=infra/*', 'tolls=x'])).toEqual([
      expect.stringMatching(/'team\/\*=infra\/\*' matches no repository: \* stays within one component/),
      expect.stringMatching(/'tolls=x' matches no repository; similar names: tools/),
    ]);
  });
});

describe('names', () => {
  it.each([
    ['library/nginx:1.27', 'library/nginx:1.27'],
    ['docker.io/library/nginx:1.27', 'library/nginx:1.27'],
    ['docker.io/nginx:1.27', 'library/nginx:1.27'],
    ['docker.io/library/redis:7', 'docker.io/library/redis:7'],
    ['docker.io/redis:7', 'docker.io/redis:7'],
    ['registry.example:5000/team/app/web:2.0', 'team/app/web:2.0'],
    ['localhost/tools:x', 'tools:x'],
    ['docker://harbor.example/team/app/api:2.0', 'team/app/api:2.0'],
  ])('%s means %s', (name, expected) => {
    expect([...resolveNames(catalog, new Set([name]))]).toEqual([expected]);
  });

  it('that are not there are told from those that are', () => {
    expect(missingNames(catalog, ['tools:x', 'tools:y', 'nothing:z'])).toEqual(['tools:y', 'nothing:z']);
    expect(nearImages(catalog, { repository: 'library/nginx', tag: '1.28' })).toEqual([
      'library/nginx:1.26',
      'library/nginx:1.27',
    ]);
    expect(nearImages(catalog, { repository: 'nginx', tag: '1.27' })).toEqual(['library/nginx:1.27']);
    expect(nearImages(catalog, { repository: 'team/app', tag: '1' })).toEqual(['team/app/api', 'team/app/web']);
  });
});
