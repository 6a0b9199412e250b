import { linkSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refuseOverlap } from '../../src/io/overlap.ts';
import { regtar } from '../e2e/support/regtar.ts';
import { run } from '../support/run.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const at = folder.file;
const store = buildStorage((s) => {
  s.image('base/app', 'v1', { layers: ['one'] });
  s.image('team/app', 'v1', { layers: ['two'] });
});

beforeAll(async () => {
  await store.writeTo(at('store'));
  writeFileSync(at('docker.tar'), store.tar());
  mkdirSync(at('parts'));
  writeFileSync(at('parts/docker.tar.aa'), store.tar().subarray(0, 9000));
  writeFileSync(at('parts/docker.tar.ab'), store.tar().subarray(9000));
  symlinkSync('docker.tar', at('link.tar'));
  symlinkSync('store', at('linked'));
  symlinkSync('store/new', at('dangling'));
  linkSync(at('docker.tar'), at('hard.tar'));
  mkdirSync(at('holder/docker/store'), { recursive: true });
});
afterAll(() => folder.remove());

describe('what is read is not written to', () => {
  it.each<[string, string, string, RegExp]>([
    ['the file itself', 'docker.tar', 'docker.tar', /is the same as/],
    ['by a way around', 'store/../docker.tar', 'docker.tar', /is the same as/],
    ['a symbolic link to it', 'link.tar', 'docker.tar', /is the same as/],
    ['a source that is a link', 'docker.tar', 'link.tar', /is the same as/],
    ['a hard link of it', 'hard.tar', 'docker.tar', /is the same as/],
    ['the folder itself', 'store', 'store', /is the same as/],
    ['a new folder inside it', 'store/a/b/c', 'store', /lies inside/],
    ['inside by a link', 'linked/docker/new', 'store', /lies inside/],
    ['a link that leads to nothing yet', 'dangling', 'store', /lies inside/],
    ['a folder that holds it', 'holder', 'holder/docker/store', /holds/],
    ['a folder that holds the file', '.', 'docker.tar', /holds/],
  ])('%s', (_, output, source, says) => {
    expect(() => refuseOverlap([{ name: 'OUT', path: at(output) }], [at('other.tar'), at(source)])).toThrow(
      expect.objectContaining({ code: 'OUTPUT_IS_SOURCE', message: expect.stringMatching(says) as string }),
    );
  });

  it.each(['store-2', 'report.json', 'parts', 'docker.tar.report', '/dev/null'])('%s is free', (output) => {
    const path = output.startsWith('/') ? output : at(output);
    expect(() => refuseOverlap([{ name: 'OUT', path }], [at('docker.tar'), at('store'), '/dev/null'])).not.toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  });

  it('nor are two outputs one file', () => {
    const both = (first: string, second: string) => (): void =>
      refuseOverlap(
        [
          { name: '--report', path: first },
          { name: '--save-digests', path: second },
        ],
        [],
      );
    expect(both(at('a'), at('store/../a'))).toThrow(/--report and --save-digests are the same file/);
    expect(both('/dev/null', '/dev/null')).not.toThrow();
  });
});

describe('every command that writes asks first', () => {
  const digestOfTree = (): string =>
    readdirSync(folder.path, { recursive: true, encoding: 'utf8' })
      .sort()
      .map(
        (name) =>
          `${name} ${statSync(at(name), { throwIfNoEntry: false })?.isFile() === true ? readFileSync(at(name)).toString('base64') : ''}`,
      )
      .join('\n');

  it.each<[string, readonly string[]]>([
    [
      'export to itself',
      ['export', at('docker.tar'), at('docker.tar'), '--format', 'registry', '--include', 'base/**'],
    ],
    ['export to a part', ['export', at('parts/docker.tar.aa'), at('parts/docker.tar.ab')]],
    ['export --force over a store', ['export', at('store'), at('store'), '--format', 'registry', '--force']],
    ['export into a store', ['export', at('store'), at('store/out')]],
    ['a second source', ['export', at('docker.tar'), at('store'), '--source', at('store'), '--format', 'registry']],
    ['--base', ['export', at('docker.tar'), at('store'), '--base', at('store'), '--format', 'registry', '--force']],
    ['--report', ['export', at('docker.tar'), at('out'), '--report', at('docker.tar')]],
    ['--save-digests', ['export', at('docker.tar'), at('out'), '--save-digests', at('link.tar')]],
    ['--html', ['inspect', at('docker.tar'), '--html', at('docker.tar')]],
    ['index', ['index', at('docker.tar'), '--index-file', at('docker.tar')]],
  ])('%s', async (_, args) => {
    const before = digestOfTree();
    const { code, stderr } = await regtar(args);
    expect([code, stderr]).toEqual([2, expect.stringContaining('regtar: OUTPUT_IS_SOURCE: ')]);
    expect(digestOfTree()).toBe(before);
  });

  it('standard input is a source, too', async () => {
    const { code, stderr } = await run(
      'sh',
      ['-c', `exec "${process.execPath}" bin/regtar.js export - "${at('hard.tar')}" < "${at('docker.tar')}"`],
      { allowFailure: true },
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining('regtar: OUTPUT_IS_SOURCE: OUT ')]);
  });
});
