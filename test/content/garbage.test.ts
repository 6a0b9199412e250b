import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findGarbage, type Garbage } from '../../src/content/garbage.ts';
import { createFilter } from '../../src/select/filter.ts';
import { chooseTags } from '../../src/select/tag-choice.ts';
import { whatIf } from '../../src/select/what-if.ts';
import { collectGarbage } from '../support/collect-garbage.ts';
import { openPath } from '../support/open-storage.ts';
import { describeWith } from '../support/peers.ts';
import { buildStorage, type StorageDescription } from '../support/storage-builder.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

/** A storage with all that gets left behind in years. */
const leftBehind = (s: StorageDescription) => {
  const shared = s.image('team/app', '1.0', { layers: ['base', 'one'] });
  s.image('team/app', ['1.1', 'latest'], { layers: ['base', 'two'] });
  s.image('team/app', undefined, { layers: ['base', 'replaced'] });
  s.index('team/multi', '2.0', [
    { platform: 'linux/amd64', layers: ['base', 'amd'] },
    { platform: 'linux/arm64', layers: ['arm'] },
  ]);
  s.index('team/multi', undefined, [
    { platform: 'linux/amd64', layers: ['old amd'] },
    { platform: 'linux/arm64', layers: ['arm'] },
  ]);
  s.image('library/base', '1', { layers: ['base'] });
  s.image('library/gone', undefined, { layers: ['gone'] });
  const moved = s.image('library/base', '2', { layers: ['moved'] });
  s.tag('library/base', '2', s.image('library/base', undefined, { layers: ['base', 'new'] }).digest);
  // Deleted by the API: its blobs are nobody's until garbage collection takes them.
  s.deleteRevision('team/app', s.image('team/app', undefined, { layers: ['base', 'deleted'] }).digest);
  return { shared, moved, linked: s.blob('an upload that no manifest followed', 'team/app'), loose: s.blob('loose') };
};

/** What a registry says that it would delete. */
async function collect(
  peer: 'docker-registry' | 'distribution',
  storage: string,
  ...flags: readonly string[]
): Promise<{ readonly blobs: readonly string[]; readonly manifests: readonly string[] }> {
  const stdout = await collectGarbage(peer, storage, ...flags);
  const found = (pattern: RegExp): string[] => [...stdout.matchAll(pattern)].map(([, digest]) => digest ?? '').sort();
  return {
    blobs: found(/^blob eligible for deletion: (\S+)$/gm),
    manifests: found(/^manifest eligible for deletion: .*?(sha256:[0-9a-f]{64})/gm),
  };
}

/** Where the last tag was deleted, its folder is left; without one a registry's collection stops. */
async function unpack(): Promise<TemporaryFolder> {
  const unpacked = temporaryFolder();
  await buildStorage(leftBehind).writeTo(unpacked.path);
  mkdirSync(join(unpacked.path, 'docker/registry/v2/repositories/library/gone/_manifests/tags'));
  return unpacked;
}

let folder: TemporaryFolder;
beforeAll(async () => void (folder = await unpack()));
afterAll(() => folder.remove());

async function garbage(): Promise<Garbage> {
  const { catalog, store, graph } = await openPath(folder.path);
  return findGarbage(catalog, store, graph);
}

describeWith('docker-registry', 'what nothing references is what Distribution 2.8 removes', () => {
  it('digest by digest', async () => {
    const { unreferenced } = await garbage();
    expect(unreferenced.blobs).toBe(5);
    expect([...unreferenced.digests].sort()).toEqual((await collect('docker-registry', folder.path)).blobs);
  });

  it('with -m it also takes the children of an index that it keeps', async () => {
    const { untagged } = await garbage();
    const { catalog, graph } = await openPath(folder.path);
    const children = [...catalog.tags('team/multi')]
      .flatMap(({ digest }) => graph.read(digest).children)
      .map(({ descriptor }) => descriptor.digest);
    const { manifests } = await collect('docker-registry', folder.path, '-m');
    expect(children.filter((digest) => !manifests.includes(digest))).toEqual([]);
    expect([...new Set([...untagged.manifests.map(({ digest }) => digest), ...children])].sort()).toEqual(manifests);
  });
});

describeWith(
  'distribution',
  'what only untagged manifests need is what Distribution 3 removes with --delete-untagged',
  () => {
    it('digest by digest, with what nothing references', async () => {
      const { unreferenced, untagged } = await garbage();
      expect([...unreferenced.digests].sort()).toEqual((await collect('distribution', folder.path)).blobs);
      const removed = await collect('distribution', folder.path, '--delete-untagged');
      expect([...unreferenced.digests, ...untagged.digests].sort()).toEqual(removed.blobs);
      expect(untagged.manifests.map(({ digest }) => digest).sort()).toEqual(removed.manifests);
    });

    it('what a choice would let go is what it removes when the other tags are gone', async () => {
      const { catalog, store, graph } = await openPath(folder.path);
      const source = { catalog, store, graph };
      const { filter } = await chooseTags(source, createFilter({ exclude: ['team/multi'] }), {
        newest: 1,
        by: 'version',
      });
      const { stays, goes } = whatIf(catalog, store, graph, { filter });
      expect(stays.tags).toBe(2);
      const copy = temporaryFolder();
      await buildStorage(leftBehind).writeTo(copy.path);
      for (const repository of catalog.repositories())
        for (const { tag, digest } of catalog.tags(repository))
          if (!filter({ repository, tag, digest }))
            rmSync(join(copy.path, 'docker/registry/v2/repositories', repository, '_manifests/tags', tag), {
              recursive: true,
            });
      const { blobs } = await collect('distribution', copy.path, '--delete-untagged');
      copy.remove();
      expect([...goes.digests].sort()).toEqual(blobs);
    });
  },
);

describe('what garbage is', () => {
  it('is told by repository, blobs of several of them in each', async () => {
    const { repositories } = await garbage();
    expect(
      Object.fromEntries(repositories.map((row) => [row.repository, [row.untaggedManifests, row.unreferencedBlobs]])),
    ).toEqual({
      'team/app': [1, 3],
      'team/multi': [2, 0],
      'library/base': [1, 0],
      'library/gone': [1, 0],
      undefined: [0, 2],
    });
  });

  it('is not a referrer of what is kept, unlike in a registry', async () => {
    const signed = temporaryFolder();
    await buildStorage((s) => {
      const image = s.image('app', '1');
      const sbom = s.artifact('app', undefined, { subject: image });
      s.artifact('app', undefined, { subject: sbom, body: 'a signature of the list' });
      s.artifact('app', undefined, { body: 'nothing refers to it' });
    }).writeTo(signed.path);
    const { catalog, store, graph } = await openPath(signed.path);
    expect(findGarbage(catalog, store, graph).untagged.manifests).toHaveLength(1);
    signed.remove();
  });
});
