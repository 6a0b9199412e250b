import { writeFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { regtar, regtarDone, regtarJson } from './support/regtar.ts';

const folder = temporaryFolder();
const report = folder.file('report.json');
const keys = folder.file('allowed_signers');
const signed = ['--signed-report', report, '--require-signature', keys] as const;
let registry: Registry;

describeWith(['docker-registry', 'ssh-keygen'], 'a report that somebody signed decides what may be pushed', () => {
  beforeAll(async () => {
    registry = await startRegistry();
    const chosen = ['--include', 'library/**', '--include', 'base'];
    await regtarDone(['export', fixturePath, folder.file('oci'), ...chosen, '--report', report]);
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', folder.file('key')]);
    await run('ssh-keygen', ['-Y', 'sign', '-f', folder.file('key'), '-n', 'file', report]);
    writeFileSync(keys, `release@example.org ${readFileSync(folder.file('key.pub'), 'utf8')}`);
  });
  afterAll(async () => {
    await registry.stop();
    folder.remove();
  });
  const repositories = async (): Promise<unknown> => (await fetch(`http://${registry.host}/v2/_catalog`)).json();

  it('images that are not in it stop the push before the first byte', async () => {
    const result = await regtar(['push', fixturePath, registry.host, ...signed]);
    expect([result.code, result.stderr]).toEqual([
      1,
      expect.stringMatching(/IMAGE_UNSIGNED: \d+ of \d+ images are not in/),
    ]);
    expect(await repositories()).toEqual({ repositories: [] });
  });

  it('a key that did not sign, a signature that is gone, options without each other: nothing is pushed', async () => {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', folder.file('other')]);
    const others = folder.file('others');
    writeFileSync(others, `x@example.org ${readFileSync(folder.file('other.pub'), 'utf8')}`);
    const wrong = await regtar([
      'push',
      fixturePath,
      registry.host,
      '--signed-report',
      report,
      '--require-signature',
      others,
    ]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('none of the given keys made it')]);
    const copy = folder.file('copy.json');
    writeFileSync(copy, readFileSync(report));
    const gone = await regtar([
      'push',
      fixturePath,
      registry.host,
      '--signed-report',
      copy,
      '--require-signature',
      keys,
    ]);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('copy.json.sig does not exist')]);
    const alone = await regtar(['push', fixturePath, registry.host, '--signed-report', report]);
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining('belong together')]);
    expect(await repositories()).toEqual({ repositories: [] });
  });

  it('what is in it is pushed, and the report of the push says who signed', async () => {
    const page = folder.file('push.html');
    const chosen = ['--include', 'library/**', '--include', 'base', '--report', page];
    const result = await regtarDone(['push', fixturePath, registry.host, ...chosen, ...signed]);
    expect(result.stderr).toContain('is signed by release@example.org (SHA256:');
    expect(readFileSync(page, 'utf8')).toMatch(/Signed by.*release@example\.org \(SHA256:/s);
    // The report of the push carries it for programs, and is itself read again.
    const check = await regtarDone(['check', registry.host, '--report', page]);
    expect(check.stdout).toContain('as the report says');
  });

  it('check trusts a report only with its signature', async () => {
    const target = folder.file('oci');
    const checked = await regtarJson<{ approval: unknown; differences: readonly unknown[] }>([
      'check',
      target,
      '--report',
      report,
      '--require-signature',
      keys,
    ]);
    expect(checked).toMatchObject({ approval: { name: 'release@example.org', tool: 'ssh-keygen' }, differences: [] });
    const changed = folder.file('changed.json');
    writeFileSync(changed, readFileSync(report, 'utf8').replace('"state": "finished"', '"state": "running"'));
    writeFileSync(`${changed}.sig`, readFileSync(`${report}.sig`));
    const result = await regtar(['check', target, '--report', changed, '--require-signature', keys]);
    expect([result.code, result.stderr]).toEqual([1, expect.stringContaining('was changed after it was signed')]);
  });
});
