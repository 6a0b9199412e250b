import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { regtar } from '../e2e/support/regtar.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { archive, file, hardLink } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Moves the cursor, sets a title, rings the bell, in seven and in eight bits; turns and hides text; begins a line of its own. */
const escapes = '\u001b[2J\u001b]0;owned\u0007\u009b31m\r\b\u007f\u202e\u2066\u200b\u2028\u2029\u{e0041}\nFORGED';
const root = 'docker/registry/v2';

const store = buildStorage((s) => {
  const app = s.image('app', 'v1', {
    config: { config: { Cmd: [escapes], Labels: { note: escapes } } },
    annotations: { note: escapes },
  });
  s.manifest(
    'forged',
    'v1',
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `application/${escapes}`,
      config: { mediaType: escapes, digest: app.blobs[0]!.digest, size: 1 },
      layers: [],
    }),
  );
  s.write(storagePaths.currentLink('app', 'rubbish'), escapes);
});
const path = folder.file('docker.tar');
writeFileSync(
  path,
  archive([
    ...store.members(),
    file(`${root}/repositories/a${escapes}/_manifests/tags/v1/current/link`, 'x'),
    file(`${root}/repositories/app/_manifests/tags/${escapes}/current/link`, 'x'),
    hardLink(`${root}/repositories/app/_manifests/tags/linked/current/link`, escapes),
    file(`${escapes}/cut`, 'x'.repeat(2000)),
  ]).subarray(0, -2000),
);

describe('no name and no content out of a backup reaches the terminal raw', () => {
  it.each<[string, string[]]>([
    ['inspect', ['inspect', path]],
    ['inspect of an image', ['inspect', path, 'app:v1']],
    ['inspect of a forged manifest', ['inspect', path, 'forged:v1']],
    ['inspect --json', ['inspect', path, 'app:v1', '--json']],
    ['list --untagged', ['list', '--untagged', path]],
    ['verify', ['verify', '-v', path]],
    ['verify --json', ['verify', '--json', path]],
    ['export', ['export', '--format', 'dir', path, folder.file('out')]],
    ['a source with such a name', ['inspect', folder.file(`no${escapes}.tar`)]],
    ['a reference with such a name', ['inspect', path, `app:${escapes}`]],
  ])('%s', async (_title, words) => {
    const { stdout, stderr } = await regtar(words);
    expect(stdout + stderr).not.toBe('');
    expect(stdout + stderr).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(stdout + stderr).not.toMatch(/^FORGED/m);
  });

  it('what was hostile is still told', async () => {
    const { code, stdout } = await regtar(['verify', path]);
    expect(code).toBe(4);
    for (const problem of ['REPOSITORY_INVALID', 'TAG_INVALID', 'LINK_INVALID', 'TAR_LINK_INVALID', 'TAR_CUT'])
      expect(stdout).toContain(problem);
    expect(stdout).toContain('\\u001b[2J');
  });
});
