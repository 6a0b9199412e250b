import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startRegtar } from '../interrupt/support/start-regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { describeWith, peerCommand } from '../support/peers.ts';
import { listRegistry } from '../support/read-registry.ts';
import { run as runProgram } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { noise } from '../formats/suite.ts';
import { regtar, regtarDone, regtarJson } from './support/regtar.ts';
import { snapshot } from './support/snapshot.ts';

interface SetJson {
  readonly id: string;
  readonly volume: number;
  readonly volumes: readonly { readonly name: string; readonly size: number }[];
  readonly images: readonly {
    readonly repository: string;
    readonly tag?: string;
    readonly volumes: readonly number[];
  }[];
  readonly shared: readonly { readonly digest: string; readonly volume: number }[];
}

const folder = temporaryFolder();
const limit = 3_000_000;
let source: string;
let all: readonly string[];
const outs = { registry: folder.file('registry'), oci: folder.file('oci') };
const report = folder.file('report.json');
beforeAll(async () => {
  source = generateBackup(
    { name: 'volumes', images: 60, repositories: 8, bytes: 12_000_000, largestLayer: 1_500_000, multiArchRatio: 0.1 },
    folder.path,
  ).file;
  all = lines((await regtarDone(['list', source])).stdout);
  for (const [format, out] of Object.entries(outs))
    await regtarDone(['export', source, out, '--format', format, '--volume-size', '3MB', '--report', report]);
});
afterAll(() => folder.remove());

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function volumes(out: string): readonly string[] {
  return readdirSync(out)
    .sort()
    .map((name) => join(out, name));
}

function membersOf(volume: string): readonly string[] {
  return lines(execFileSync('tar', ['-tf', volume], { encoding: 'utf8' }));
}

function setOf(volume: string): SetJson {
  return JSON.parse(execFileSync('tar', ['-xOf', volume, 'set.json'], { encoding: 'utf8' })) as SetJson;
}

function newFolder(): TemporaryFolder {
  const made = temporaryFolder();
  onTestFinished(() => made.remove());
  return made;
}

describe.each(['registry', 'oci'] as const)('a set of %s volumes', (format) => {
  const out = outs[format];

  it('is of archives that tar reads, none too large, filled well, each blob once, the list first', () => {
    const files = volumes(out);
    const total = files.reduce((sum, file) => sum + statSync(file).size, 0);
    expect(files.length).toBeLessThanOrEqual(Math.ceil((1.1 * total) / limit));
    const blobs = new Map<string, number>();
    for (const [index, file] of files.entries()) {
      expect(statSync(file).size).toBeLessThanOrEqual(limit);
      const members = membersOf(file);
      expect(members[0]).toBe('set.json');
      const set = setOf(file);
      expect(set.volume).toBe(index + 1);
      expect(set.volumes.map(({ name, size }) => [name, size])).toEqual(
        files.map((each) => [each.slice(out.length + 1), statSync(each).size]),
      );
      const manifests = new Set(
        members.flatMap((path) => /revisions\/sha256\/([0-9a-f]+)\/link/.exec(path)?.[1] ?? []),
      );
      for (const path of members) {
        const hex = /blobs\/sha256\/(?:..\/)?([0-9a-f]{64})(?:\/data)?$/.exec(path)?.[1];
        // Manifests lie with each image that needs them, so that every volume can be listed.
        if (hex !== undefined && !manifests.has(hex)) blobs.set(hex, (blobs.get(hex) ?? 0) + 1);
      }
    }
    if (format === 'registry') expect(Math.max(...blobs.values())).toBe(1);
    expect(new Set(files.map((file) => setOf(file).id)).size).toBe(1);
  });

  it('holds everything, whether the folder is named, all volumes are, or a pattern is, in any order', async () => {
    expect(lines((await regtarDone(['list', out])).stdout)).toEqual(all);
    expect(lines((await regtarDone(['list', ...[...volumes(out)].reverse()])).stdout)).toEqual(all);
    expect(lines((await regtarDone(['list', join(out, 'volume-*.tar')])).stdout)).toEqual(all);
    const verified = await regtarJson<{ images: unknown; sound: boolean; blobs: unknown }>(['verify', out]);
    expect(verified.images).toEqual({ whole: all.length, partial: 0, lost: 0 });
    expect(verified.blobs).toMatchObject({ corrupt: 0, missing: 0, unreferenced: 0 });
    expect((await regtarDone(['check', out, '--report', report, '--deep'])).stdout).toContain('as the report says');
  });

  it('is verified, listed and checked volume by volume; what lies on others is told and no damage', async () => {
    const listed: string[] = [];
    for (const [index, file] of volumes(out).entries()) {
      const { stdout, stderr } = await regtarDone(['list', file]);
      listed.push(...lines(stdout));
      expect(stderr).toMatch(/of this set were not given|of this set was not given/);
      if (index === 0 || index > 2) continue;
      const { images, problems, blobs } = await regtarJson<{
        images: Record<string, number>;
        problems: { code: string }[];
        blobs: Record<string, number>;
      }>(['verify', file]);
      const own = setOf(file).images.filter(
        ({ volumes: where, tag }) => tag !== undefined && where.at(-1) === index + 1,
      );
      const apart = own.filter(({ volumes: where }) => where.length > 1).length;
      expect(images).toEqual({
        whole: own.length - apart,
        partial: 0,
        lost: 0,
        ...(apart > 0 && { elsewhere: apart }),
      });
      expect(blobs).toMatchObject({ corrupt: 0, missing: 0, unreferenced: 0 });
      expect(problems.every(({ code }) => code === 'VOLUME_MISSING')).toBe(true);
      const checked = await regtarJson<{ images: Record<string, number> }>(['check', file, '--report', report]);
      expect(checked.images).toMatchObject({ missing: 0, incomplete: 0, damaged: 0, same: own.length - apart });
    }
    expect(listed.sort()).toEqual([...all].sort());
  });

  it('names what is on a volume that is missing, and takes everything that is whole', async () => {
    const given = newFolder();
    const [, second = '', ...others] = volumes(out);
    for (const file of [volumes(out)[0] ?? '', ...others]) copyFileSync(file, given.file(file.slice(out.length + 1)));
    const { code, stderr } = await regtar(['export', given.path, newFolder().file('out'), '--json']);
    expect(code).toBe(3);
    const lost = setOf(second).images.filter(({ volumes: where }) => where.includes(2));
    expect(lost.length).toBeGreaterThan(0);
    for (const { repository, tag } of lost) expect(stderr).toContain(`${repository}:${tag ?? ''}`);
    expect(stderr).toMatch(/VOLUME_MISSING: .* volume-02-of-0\d\.tar, which was not given/);
    const checked = await regtarJson<{ images: Record<string, number>; differences: { message: string }[] }>(
      ['check', given.path, '--report', report],
      4,
    );
    expect(checked.images['same']).toBe(all.length - lost.length);
    expect(checked.differences.every(({ message }) => message.includes('volume-02'))).toBe(true);
  });

  it('is there when it is written again, and appears volume by volume', async () => {
    const before = volumes(out).map((file) => statSync(file).mtimeMs);
    const again = await regtarJson<{ images: { status: string }[]; blobs: { copied: number } }>([
      'export',
      source,
      out,
      '--format',
      format,
      '--volume-size',
      '3MB',
    ]);
    expect(again.images.every(({ status }) => status === 'present')).toBe(true);
    expect(again.blobs.copied).toBe(0);
    expect(volumes(out).map((file) => statSync(file).mtimeMs)).toEqual(before);
    const one = newFolder().file('one');
    for (const number of ['2-', '1']) {
      const range = number.endsWith('-') ? `${number}${volumes(out).length}` : number;
      await regtarDone(['export', source, one, '--format', format, '--volume-size', '3MB', '--volumes', range]);
    }
    expect(snapshot(one)).toEqual(snapshot(out));
  });

  it.runIf(format === 'registry')('says before the first byte what it will be', async () => {
    const out2 = newFolder().file('out');
    const words = ['export', source, out2, '--format', format, '--volume-size', '3MB', '--dry-run'];
    const { stdout } = await regtarDone(words);
    for (const file of volumes(out)) expect(stdout).toContain(file.slice(out.length + 1));
    const planned = await regtarJson<{ set: string; volumes: unknown[] }>(words);
    expect(planned.set).toBe(setOf(volumes(out)[0] ?? '').id);
    expect(existsSync(out2)).toBe(false);
  });

  it.runIf(format === 'registry')(
    'shows only whole volumes when it is killed, and the rerun completes it',
    async () => {
      const killed = newFolder().file('out');
      const words = ['export', source, killed, '--format', format, '--volume-size', '3MB'];
      const whole = snapshot(out);
      for (const step of [60, 330]) {
        const running = startRegtar([...words, '--events', 'jsonl']);
        await running.said(step);
        running.kill('SIGKILL');
        await running.ended;
        for (const [name, bytes] of Object.entries(existsSync(killed) ? snapshot(killed) : {}))
          if (!name.startsWith('.regtar-')) expect(bytes).toBe(whole[name]);
      }
      await regtarDone(words);
      expect(snapshot(killed)).toEqual(whole);
    },
  );

  it.runIf(format === 'oci')('replaces only volumes that regtar wrote, and only with --force', async () => {
    const other = newFolder().file('out');
    await regtarDone(['export', fixturePath, other, '--format', format, '--volume-size', '200k']);
    const words = ['export', source, other, '--format', format, '--volume-size', '3MB'];
    const refused = await regtar(words);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/OUTPUT_FOREIGN: .* another set/)]);
    writeFileSync(join(other, 'notes.txt'), 'mine');
    await regtarDone([...words, '--force']);
    expect(readFileSync(join(other, 'notes.txt'), 'utf8')).toBe('mine');
    rmSync(join(other, 'notes.txt'));
    expect(snapshot(other)).toEqual(snapshot(out));
    writeFileSync(join(other, 'volume-09-of-09.tar'), 'years of work');
    expect((await regtar([...words, '--force'])).stderr).toContain('OUTPUT_FOREIGN');
    expect(readFileSync(join(other, 'volume-09-of-09.tar'), 'utf8')).toBe('years of work');
  });
});

describe('a list that was changed', () => {
  it('is ignored, told, and changes nothing of what the volume holds', async () => {
    const given = newFolder();
    const [first = ''] = volumes(outs.registry);
    const bytes = readFileSync(first);
    const at = bytes.indexOf('"images":[') + 40;
    bytes.write('#', at);
    writeFileSync(given.file('volume.tar'), bytes);
    const { stdout, stderr } = await regtarDone(['list', given.file('volume.tar')]);
    expect(stdout).toBe((await regtarDone(['list', first])).stdout);
    const hostile = Buffer.from(
      `${JSON.stringify({ regtarSet: 1, id: '../..', volumes: [{ name: '/etc/passwd' }] })}\n`,
    );
    bytes.fill(' ', 512, 512 + Number.parseInt(bytes.toString('latin1', 124, 135), 8));
    hostile.copy(bytes, 512);
    writeFileSync(given.file('volume.tar'), bytes);
    const second = await regtarDone(['list', given.file('volume.tar')]);
    expect(second.stdout).toBe(stdout);
    expect(stderr + second.stderr).toContain('is ignored: set.json was changed after regtar wrote it');
  });
});

describe('what does not fit', () => {
  const large = (): string => {
    const made = newFolder();
    const layers = [{ bytes: noise(900_000, 1) }, { bytes: noise(50_000, 2) }];
    writeFileSync(
      made.file('docker.tar'),
      buildStorage((s) => {
        s.image('ml/model', '1', { layers });
        s.image('app', '1', { layers: [{ bytes: noise(120_000, 3) }] });
      }).tar(),
    );
    return made.file('docker.tar');
  };

  it('is named before the first byte', async () => {
    const out = newFolder().file('out');
    const { code, stderr } = await regtar(['export', large(), out, '--format', 'registry', '--volume-size', '300k']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/VOLUME_TOO_SMALL: .*900000 bytes, which ml\/model:1 needs/);
    expect(stderr).toContain('--split-blobs');
    expect(existsSync(out)).toBe(false);
  });

  it.each(['registry', 'oci'])('makes a %s volume of parts where that is allowed', async (format) => {
    const out = newFolder().file('out');
    const from = large();
    const words = ['export', from, out, '--format', format, '--volume-size', '300k', '--split-blobs'];
    await regtarDone(words);
    const names = readdirSync(out).sort();
    for (const name of names) expect(statSync(join(out, name)).size).toBeLessThanOrEqual(300_000);
    expect(names.filter((name) => /\.tar\.part\d\d$/.test(name)).length).toBeGreaterThan(2);
    expect((await regtarDone(['list', out])).stdout).toBe('app:1\nml/model:1\n');
    expect((await regtarDone(['verify', out])).stdout).toContain('sound');
    const before = snapshot(out);
    await regtarDone(words);
    expect(snapshot(out)).toEqual(before);
  });

  it('is told of options that do not go together', async () => {
    for (const [words, said] of [
      [['out.tar', '--volume-size', '1MB'], /OUT is a single one/],
      [['-', '--volume-size', '1MB'], /OUT is a single one/],
      [['out', '--volume-size', '1MB', '--format', 'dir'], /--volume-size has no effect with --format dir/],
      [['out', '--volume-size', '1MB', '--split', 'image'], /--split/],
      [['out', '--split-blobs'], /--volume-size is not given/],
      [['out', '--volumes', '2'], /--volume-size is not given/],
      [['out', '--volume-size', '1MB', '--volumes', '9'], /there is no volume 9/],
      [['out', '--volume-size', 'much'], /a size such as/],
    ] as const) {
      const { code, stderr } = await regtar(['export', fixturePath, ...words], { cwd: newFolder().path });
      expect([code, stderr]).toEqual([2, expect.stringMatching(said)]);
    }
  });
});

it('an image that is damaged is left out, told, and told again by the rerun; the others travel', async () => {
  const place = newFolder();
  const tar = buildStorage((s) => {
    s.image('a', '1', { layers: ['shared', { bytes: noise(60_000, 1) }] });
    s.image('b', '1', { layers: ['shared', { bytes: noise(60_000, 2) }] });
    s.image('c', '1', { layers: ['shared', { bytes: noise(60_000, 3) }] });
  }).tar();
  const at = tar.indexOf(noise(60_000, 2));
  tar.writeUInt8((tar.readUInt8(at + 5) + 1) % 256, at + 5);
  writeFileSync(place.file('docker.tar'), tar);
  const words = [
    'export',
    place.file('docker.tar'),
    place.file('out'),
    '--format',
    'registry',
    '--volume-size',
    '110k',
  ];
  for (const run of ['first', 'second']) {
    const { code, stderr } = await regtar(words);
    expect([code, stderr], run).toEqual([3, expect.stringMatching(/BLOB_CORRUPT: .*(?:b:1|damaged)/)]);
    expect((await regtarDone(['list', place.file('out')])).stdout).toBe('a:1\nc:1\n');
    expect((await regtarDone(['verify', place.file('out')])).stdout).toContain('sound');
  }
});

describeWith('docker-registry', 'volumes are pushed', () => {
  let registry: Registry;
  beforeAll(async () => void (registry = await startRegistry()));
  afterAll(() => registry.stop());

  const names = async (): Promise<readonly string[]> =>
    (await listRegistry(registry)).map(({ repository, tag }) => `${repository}:${tag}`).sort();

  it('some, then the one that was missing, in any order', async () => {
    const [first = '', second = '', ...others] = volumes(outs.registry);
    const partial = await regtar(['push', ...others, '--source', first, registry.host]);
    expect([partial.code, partial.stderr]).toEqual([3, expect.stringContaining('volume-02')]);
    const lost = setOf(second).images.filter(({ volumes: where }) => where.includes(2)).length;
    expect((await names()).length).toBe(all.length - lost);
    await regtarDone([
      'push',
      second,
      '--source',
      first,
      ...others.flatMap((file) => ['--source', file]),
      registry.host,
    ]);
    expect(await names()).toEqual([...all].sort());
  });

  it('one after the other, where each finds in the registry what an earlier one brought', async () => {
    const fresh = await startRegistry();
    try {
      for (const file of volumes(outs.oci)) {
        const { code } = await regtar(['push', file, fresh.host]);
        // Only what is apart on volumes of which no image is whole has to wait for both.
        expect([0, 3]).toContain(code);
      }
      await regtarDone(['push', outs.oci, fresh.host]);
      expect((await listRegistry(fresh)).length).toBe(all.length);
    } finally {
      await fresh.stop();
    }
  });
});

describeWith('skopeo', 'every oci volume is a layout', () => {
  it('that skopeo reads for the images that are whole on it', async () => {
    const scratch = newFolder();
    let copied = 0;
    for (const [index, file] of volumes(outs.oci).entries()) {
      const place = scratch.file(`layout-${index}`);
      mkdirSync(place);
      await runProgram('tar', ['-xf', file, '-C', place]);
      const own = new Set(
        setOf(file)
          .images.filter(({ volumes: where }) => where.length === 1 && where[0] === index + 1)
          .map(({ repository, tag }) => `${repository}:${tag ?? ''}`),
      );
      const { manifests } = JSON.parse(readFileSync(join(place, 'index.json'), 'utf8')) as {
        manifests: { mediaType: string; annotations: Record<string, string> }[];
      };
      // Older ones take only what has OCI's own type out of a layout.
      const readable = manifests
        .filter(({ mediaType }) => mediaType === 'application/vnd.oci.image.manifest.v1+json')
        .map(({ annotations }) => annotations['org.opencontainers.image.ref.name'] ?? '')
        .filter((name) => own.has(name));
      for (const name of readable.slice(0, 2)) {
        await runProgram(peerCommand('skopeo'), [
          'copy',
          '--all',
          '-q',
          '--insecure-policy',
          `oci:${place}:${name}`,
          `dir:${scratch.file(`copy-${copied++}`)}`,
        ]);
      }
    }
    expect(copied).toBeGreaterThan(2);
  });
});
