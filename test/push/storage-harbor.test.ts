import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startHarborDouble, type HarborDouble } from '../harbor/double/start.ts';
import { fixturePath } from '../support/fixture.ts';
import { generateBackup, type GeneratedBackup } from '../support/generate-backup.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { failures, push, statuses } from './support/regtar.ts';

const folder = temporaryFolder();
let backup: GeneratedBackup;
let harbor: HarborDouble;

beforeAll(async () => {
  backup = generateBackup(
    { name: 'harbor', images: 40, repositories: 8, bytes: 4_000_000, baseImages: 2 },
    folder.path,
  );
  harbor = await startHarborDouble();
  mkdirSync(harbor.registryStorage, { recursive: true });
});
afterAll(async () => {
  await harbor.stop();
  folder.remove();
});

const uploads = (): unknown[] => harbor.requests.filter(({ path }) => path.includes('/blobs/uploads/'));

describeWith('docker-registry', 'the storage of a Harbor', () => {
  it('is filled without an upload, and the quota of the project comes out exact', async () => {
    const whole = await push(backup.file, `${harbor.host}/api`, { account: harbor.admin });
    expect(whole.code).toBe(0);
    harbor.requests.length = 0;
    const placed = await push(backup.file, `${harbor.host}/placed`, {
      account: harbor.admin,
      args: ['--storage', harbor.registryStorage, '--verify'],
    });
    expect([placed.code, failures(placed), statuses(placed)]).toEqual([0, {}, { copied: backup.images }]);
    expect(uploads()).toEqual([]);
    expect(harbor.quotaUsed('placed')).toBe(harbor.quotaUsed('api'));
  });

  it('is exact for blobs that nobody has named before', async () => {
    const other = await startHarborDouble();
    try {
      mkdirSync(other.registryStorage, { recursive: true });
      const placed = await push(backup.file, `${other.host}/fresh`, {
        account: other.admin,
        args: ['--storage', other.registryStorage, '--jobs', '16'],
      });
      expect([placed.code, failures(placed)]).toEqual([0, {}]);
      expect(other.quotaUsed('fresh')).toBe(harbor.quotaUsed('api'));
    } finally {
      await other.stop();
    }
  });

  it('is exact for a blob that one manifest names twice', async () => {
    const other = await startHarborDouble();
    try {
      mkdirSync(other.registryStorage, { recursive: true });
      const placed = await push(fixturePath, `${other.host}/fresh`, {
        account: other.admin,
        args: ['--storage', other.registryStorage],
      });
      expect([placed.code, failures(placed)]).toEqual([0, {}]);
      expect((await push(fixturePath, `${harbor.host}/sent`, { account: harbor.admin })).code).toBe(0);
      expect(other.quotaUsed('fresh')).toBe(harbor.quotaUsed('sent'));
    } finally {
      await other.stop();
    }
  });

  it('is turned into projects again after the database was lost, by a tag map and without a byte', async () => {
    const whole = await push(backup.file, `${harbor.host}/lost`, { account: harbor.admin });
    expect(whole.code).toBe(0);
    const storage = folder.file('left');
    cpSync(harbor.registryStorage, storage, { recursive: true });
    // What Harbor 2.15 leaves of tags in its storage: nothing.
    await run('find', [storage, '-path', '*_manifests/tags', '-prune', '-exec', 'rm', '-r', '{}', '+']);
    const lines = harbor
      .repositories()
      .filter((repository) => repository.startsWith('lost/'))
      .flatMap((repository) => [...harbor.tags(repository)].map(([tag, digest]) => `${repository},${tag},${digest}`));
    expect(lines).toHaveLength(backup.images);
    writeFileSync(folder.file('tags.csv'), `repository,tag,digest\n${lines.join('\n')}\n`);
    const anew = await startHarborDouble({ registryStorage: storage });
    try {
      const adopted = await push(storage, anew.host, {
        account: anew.admin,
        args: ['--in-place', '--storage', storage, '--tag-map', folder.file('tags.csv'), '--include', 'lost/**'],
      });
      expect([adopted.code, failures(adopted), statuses(adopted)]).toEqual([0, {}, { copied: backup.images }]);
      expect(anew.requests.filter(({ path }) => path.includes('/blobs/'))).toEqual([]);
      for (const repository of anew.repositories()) expect(anew.tags(repository)).toEqual(harbor.tags(repository));
      expect(anew.repositories()).toEqual(harbor.repositories().filter((each) => each.startsWith('lost/')));
      expect(anew.quotaUsed('lost')).toBe(harbor.quotaUsed('lost'));
    } finally {
      await anew.stop();
    }
  });

  it('that only administrators may look into: others are told that nobody looks for garbage collection', async () => {
    harbor.createProject('team');
    const robot = harbor.addPusher('pusher', 'team');
    const result = await push(backup.file, `${harbor.host}/team`, {
      account: robot,
      args: ['--storage', harbor.registryStorage],
    });
    expect([result.code, failures(result)]).toEqual([0, {}]);
    expect(result.stderr).toContain('may not see whether garbage collection is running');
  });
});
