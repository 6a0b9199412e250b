import { expect, it } from 'vitest';
import { createFilter } from '../../src/select/filter.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import type { Catalog } from '../../src/content/contracts.ts';
import { openSource } from '../../src/source/open-source.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { withTagAt } from '../../src/names/chosen-tags.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { rmSync, writeFileSync } from 'node:fs';

const traits = { schema1: true, indexes: true, artifacts: true, parallelBlobs: 2 };

it('a tag that means nothing any more fails by name, until somebody says what it shall mean', async () => {
  const folder = temporaryFolder();
  try {
    const store = buildStorage((s) => {
      const old = s.image('team/web', 'v1', { layers: ['old'] });
      const { digest } = s.image('team/web', ['v1', 'other'], { layers: ['new'] });
      return { old, digest };
    });
    await store.writeTo(folder.path);
    const current = `${folder.path}/docker/registry/v2/repositories/team/web/_manifests/tags/v1/current/link`;
    writeFileSync(current, '');
    const plan = async (choose: (catalog: Catalog) => Catalog, exclude: readonly string[] = []) => {
      const backup = await openSource([folder.path]);
      const catalog = await readCatalog(backup);
      const made = createPlan(choose(catalog), openContentStore(backup, catalog), {
        filter: createFilter({ exclude }),
        rename: (name) => name,
        traits,
      });
      await backup.close();
      return {
        images: made.images.map(({ source }) => `${source.tag} ${source.digest}`),
        refused: made.refused.map(({ source, status, error }) => [source.tag, status, error.code]),
        problems: made.problems.map(({ code }) => code),
      };
    };
    const { old, digest } = store.built;
    expect(await plan((catalog) => catalog)).toEqual({
      images: [`other ${digest}`],
      refused: [['v1', 'failed', 'TAG_AMBIGUOUS']],
      problems: [],
    });
    expect((await plan((catalog) => catalog, ['team/web:v1'])).refused).toEqual([]);
    expect(
      (await plan((catalog) => withTagAt(catalog, { repository: 'team/web', tag: 'v1', digest: old.digest }))).images,
    ).toEqual([`other ${digest}`, `v1 ${old.digest}`]);
    rmSync(current);
    expect((await plan((catalog) => catalog)).refused).toEqual([['v1', 'failed', 'TAG_NO_CURRENT']]);
  } finally {
    folder.remove();
  }
});
