import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { program, push, quietEnvironment } from '../push/support/regtar.ts';
import { run } from '../support/run.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startHarborDouble, type HarborDouble } from './double/start.ts';

const folder = temporaryFolder();
const { built, ...store } = buildStorage((s) => {
  const image = s.image('team/app', 'v1', { layers: ['signed'] });
  const signature = s.signature(image);
  const referrer = (artifactType: string): typeof image =>
    s.artifact('team/app', undefined, { artifactType, body: artifactType, subject: image });
  referrer('application/vnd.dev.sigstore.bundle.v0.3+json');
  referrer('application/vnd.cncf.notary.signature');
  s.tag('team/app', 'attached', referrer('application/vnd.example.sbom').digest);
  const multi = s.index('team/app', 'multi', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
  for (const child of multi.children) s.signature(child);
  return { image, signature };
});
let harbor: HarborDouble;

beforeAll(async () => {
  await store.writeTo(folder.file('backup'));
  harbor = await startHarborDouble({ registryStorage: folder.file('harbor') });
});
afterAll(async () => {
  await harbor.stop();
  folder.remove();
});

/** As a real Harbor 2.15.2 lists what was signed in these ways; the digests are this backup's. */
it("Harbor's storage and its own list give the tags back, but those of accessories that the list does not name", async () => {
  expect((await push(folder.file('backup'), harbor.host, { account: harbor.admin })).code).toBe(0);
  const url = `${harbor.url}/api/v2.0/projects/team/repositories/app/artifacts?with_accessory=true&page_size=100`;
  const { username, password } = harbor.admin;
  const answer = await fetch(url, {
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
  });
  const text = await answer.text();
  type Listed = { tags: { name: string }[] | null; accessories: { type: string }[] | null }[];
  // Harbor lists by the second in which they were pushed.
  const listed = (JSON.parse(text) as Listed).sort((left, right) =>
    (left.tags?.[0]?.name ?? '') < (right.tags?.[0]?.name ?? '') ? -1 : 1,
  );
  expect(listed.map(({ tags, accessories }) => [tags?.[0]?.name, accessories?.map(({ type }) => type).sort()])).toEqual(
    [
      ['multi', undefined],
      ['v1', ['signature.cosign', 'signature.cosign', 'signature.notation', 'subject.accessory']],
    ],
  );
  writeFileSync(folder.file('artifacts.json'), text);
  const list = ['list', '--tag-map', folder.file('artifacts.json'), '--quiet', folder.file('harbor')];
  const { stdout } = await run(process.execPath, [program, ...list], { env: quietEnvironment });
  expect(stdout.trim().split('\n')).toEqual([
    'team/app:multi',
    `team/app:${built.image.digest.replace(':', '-')}.sig`,
    'team/app:v1',
  ]);
});
