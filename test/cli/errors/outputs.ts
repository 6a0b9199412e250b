import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { regtar } from '../../e2e/support/regtar.ts';
import { fixturePath } from '../../support/fixture.ts';
import { buildStorage } from '../../support/storage-builder.ts';
import { typed } from '../support/shell.ts';
import type { ErrorCase } from './case.ts';

/** Places and formats that cannot hold what is asked for. */
export const outputs: readonly ErrorCase[] = [
  {
    code: 'TOO_MANY_FILES',
    title: 'more parts than files may be open',
    exit: 2,
    says: /open no more files/,
    hint: /ulimit -n/,
    provoke: async (folder) => {
      const tar = buildStorage((s) => s.image('app', 'v1')).tar();
      for (let at = 0; at * 256 < tar.length; at++)
        writeFileSync(folder.file(`docker.tar.${String(at).padStart(3, '0')}`), tar.subarray(at * 256, at * 256 + 256));
      return typed(`ulimit -n 40; regtar list ${folder.file('docker.tar.000')}`, { allowFailure: true });
    },
  },
  {
    code: 'OUTPUT_IS_SOURCE',
    title: 'OUT is SOURCE',
    exit: 2,
    says: /docker\.tar is the same as/,
    hint: /another place/,
    provoke: async (folder) => {
      writeFileSync(folder.file('docker.tar'), buildStorage((s) => s.image('app', 'v1')).tar());
      return regtar(['export', folder.file('docker.tar'), folder.file('docker.tar'), '--format', 'registry']);
    },
  },
  {
    code: 'OUTPUT_FOREIGN',
    title: 'a folder of somebody else',
    exit: 1,
    says: /mine/,
    hint: /./,
    provoke: async (folder) => {
      mkdirSync(folder.file('mine'));
      writeFileSync(folder.file('mine/letter.txt'), 'dear');
      return regtar(['export', fixturePath, folder.file('mine')]);
    },
  },
  {
    code: 'VOLUME_TOO_SMALL',
    title: 'a layer that is larger than a volume',
    exit: 2,
    says: /of 83968 bytes, which .* needs/,
    hint: /--split-blobs/,
    provoke: async (folder) =>
      regtar(['export', fixturePath, folder.file('out'), '--format', 'registry', '--volume-size', '80k']),
  },
  {
    code: 'VOLUME_MISSING',
    title: 'a volume of a set that was left at home',
    exit: 3,
    says: /is on volume-\d+-of-\d+\.tar, which was not given/,
    hint: /--source volume-/,
    provoke: async (folder) => {
      await regtar(['export', fixturePath, folder.file('set'), '--format', 'registry', '--volume-size', '100k']);
      rmSync(folder.file('set/volume-02-of-06.tar'));
      return regtar(['export', folder.file('set'), folder.file('out')]);
    },
  },
  {
    code: 'OUTPUT_FULL',
    title: 'a full disk',
    exit: 1,
    says: /./,
    hint: /./,
    provoke: async () => typed(`regtar export '${fixturePath}' - > /dev/full`, { allowFailure: true }),
  },
  {
    code: 'OUTPUT_UNWRITABLE',
    title: 'a place where nothing can be',
    exit: 1,
    says: /\/sys\/regtar/,
    hint: /./,
    provoke: async () => regtar(['export', fixturePath, '/sys/regtar']),
  },
  {
    code: 'OUTPUT_COLLISION',
    title: 'a file where a folder should be',
    exit: 1,
    says: /letter\.txt/,
    hint: /choose another OUT/,
    provoke: async (folder) => {
      writeFileSync(folder.file('letter.txt'), 'dear');
      return regtar(['export', fixturePath, folder.file('letter.txt/out')]);
    },
  },
  {
    code: 'OUTPUT_NAME',
    title: 'a name that the file system does not take',
    exit: 1,
    says: /nnn/,
    hint: /./,
    provoke: async (folder) => regtar(['export', fixturePath, folder.file('n'.repeat(300))]),
  },
  {
    code: 'OUTPUT_COLLISION',
    title: 'two images of one name',
    exit: 2,
    says: /tools\/hello:1\.0 and tools\/multi:1\.0/,
    hint: /./,
    provoke: async (folder) =>
      regtar(['export', fixturePath, folder.file('out'), '--map', 'tools/hello=one', '--map', 'tools/multi=one']),
  },
  {
    code: 'MANIFEST_UNSUPPORTED',
    title: 'a chart for docker',
    exit: 0,
    says: /holds runnable images only: no charts/,
    hint: /--format oci/,
    provoke: async (folder) =>
      regtar(['export', fixturePath, folder.file('out.tar'), '--format', 'docker-archive', '--include', 'charts/**']),
  },
  {
    code: 'PLATFORM_UNAVAILABLE',
    title: 'a platform that an image has not',
    exit: 1,
    says: /tools\/multi:1\.0 has no linux\/s390x/,
    hint: /it has .*linux\/amd64/,
    provoke: async (folder) =>
      regtar(['export', fixturePath, folder.file('out'), '--include', 'tools/multi', '--platform', 'linux/s390x']),
  },
  {
    code: 'PLATFORM_AMBIGUOUS',
    title: 'two platforms for docker',
    exit: 1,
    says: /tools\/multi:1\.0/,
    hint: /--platform once/,
    provoke: async (folder) =>
      regtar([
        'export',
        fixturePath,
        folder.file('out.tar'),
        '--format',
        'docker-archive',
        '--include',
        'tools/multi',
        '--platform',
        'linux/amd64',
        '--platform',
        'linux/arm64',
      ]),
  },
  {
    code: 'FOREIGN_LAYER',
    title: 'layers that lie elsewhere, for docker',
    exit: 0,
    says: /foreign layers are not in the backup/,
    hint: /--format oci/,
    provoke: async (folder) => {
      writeFileSync(
        folder.file('docker.tar'),
        buildStorage((s) => s.image('windows', 'v1', { layers: [{ foreign: 'https://example.com/layer' }] })).tar(),
      );
      return regtar(['export', folder.file('docker.tar'), folder.file('out.tar'), '--format', 'docker-archive']);
    },
  },
  {
    code: 'INTERRUPTED',
    title: 'Ctrl-C',
    exit: 130,
    says: /INTERRUPTED: stopped/,
    hint: /run the same command again/,
    provoke: async () =>
      typed('sleep 3 | timeout --preserve-status --signal INT 0.7 regtar list -', { allowFailure: true }),
  },
];
