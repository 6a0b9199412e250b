import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { isDigest, digestOf, digestAlgorithm, type Digest } from '../../src/oci/digest.ts';
import { RegtarError } from '../../src/errors.ts';
import { collectBody } from '../../src/io/body.ts';
import type { Backup } from '../../src/source/backup.ts';
import { openCompressed } from '../../src/source/open-stream.ts';
import { openTarFile } from '../../src/source/tar-file.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { parseStoragePath } from '../../src/formats/registry/layout.ts';
import { verifyBackup } from '../../src/verify/verify.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { archive } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { memoryAccess } from '../tar/support/memory-access.ts';
import { seekMembers } from '../tar/support/members.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const store = buildStorage((s) => ({
  app: s.image('team/app', 'v1', { layers: ['base', { bytes: Buffer.alloc(9000, 'layer') }] }),
  multi: s.index('team/multi', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]),
}));

interface Judged {
  readonly refused: string | undefined;
  readonly blobs: readonly string[];
  readonly tags: readonly string[];
  readonly codes: readonly string[];
  readonly sound: boolean;
  readonly whole: readonly string[];
}

/** Everything that can be said of a backup; every blob that it claims to have is read and must be right, or be called damaged. */
async function judge(backup: Backup): Promise<Judged> {
  try {
    const catalog = await readCatalog(backup);
    const report = await verifyBackup({ catalog, store: openContentStore(backup, catalog) }, { jobs: 1 });
    const corrupt = new Set(report.problems.filter(({ code }) => code === 'BLOB_CORRUPT').map(({ digest }) => digest));
    for (const digest of catalog.blobs()) {
      const location = catalog.stored.get(digest)?.location;
      if (location === undefined) throw new Error(`${digest} has no place`);
      const actual = digestOf(
        await collectBody(backup.read(location), Number.POSITIVE_INFINITY),
        digestAlgorithm(digest),
      );
      expect(actual === digest || corrupt.has(digest), `${digest} is handed out wrong and not called damaged`).toBe(
        true,
      );
    }
    return {
      refused: undefined,
      blobs: [...catalog.blobs()].sort(),
      tags: [...catalog.repositories()].flatMap((repository) =>
        [...catalog.tags(repository)].map(({ tag }) => `${repository}:${tag}`),
      ),
      codes: [...new Set(report.problems.map(({ code }) => code))],
      sound: report.sound,
      whole: report.verdicts
        .filter(({ state, tag }) => state === 'whole' && tag !== undefined)
        .map(({ repository, tag }) => `${repository}:${tag ?? ''}`),
    };
  } catch (error) {
    if (!(error instanceof RegtarError)) throw error;
    return { refused: error.code, blobs: [], tags: [], codes: [error.code], sound: false, whole: [] };
  } finally {
    await backup.close();
  }
}

const asFile = (bytes: Uint8Array): Backup => openTarFile(memoryAccess(bytes), 'docker.tar');
const asStream = (bytes: Uint8Array): Promise<Backup> =>
  openCompressed(
    { chunks: Readable.from([bytes]), form: 'tar', describe: 'docker.tar', bytes: undefined },
    { spoolFolder: folder.path },
  );

describe.each(['path', 'links-first'] as const)('an archive in %s order', (order) => {
  const members = store.members({ order });
  const whole = archive(members, { recordBytes: 10_240 });
  /** What each member is, and where it ends with its body. */
  const ends: { readonly blob: Digest | undefined; readonly tag: string | undefined; readonly end: number }[] = [];

  it('cut at every 512 bytes: exactly what ends before the cut is there, and the cut is told', async () => {
    let end = 0;
    for (const member of members) {
      const [seen] = (await seekMembers(member)).members;
      const meaning = parseStoragePath(seen?.path ?? '');
      const size = seen?.content?.length ?? 0;
      const padding = (512 - (size % 512)) % 512;
      ends.push({
        end: end + member.length - padding,
        blob: meaning?.kind === 'blob' ? meaning.digest : undefined,
        tag: meaning?.kind === 'tag-current' ? `${meaning.repository}:${meaning.tag}` : undefined,
      });
      end += member.length;
    }
    for (let cut = 512; cut < end; cut += 512) {
      const bytes = whole.subarray(0, cut);
      const before = ends.filter((member) => member.end <= cut);
      const blobs = before
        .flatMap(({ blob }) => blob ?? [])
        .filter((digest) => isDigest(digest))
        .sort();
      const judged = await judge(asFile(bytes));
      if (judged.refused !== undefined) {
        expect(['SOURCE_NOT_REGISTRY', 'SOURCE_NOT_TAR'], `cut at ${cut}`).toContain(judged.refused);
        expect(blobs, `cut at ${cut}`).toEqual([]);
        continue;
      }
      expect(judged.blobs, `cut at ${cut}`).toEqual(blobs);
      expect(judged.tags, `cut at ${cut}`).toEqual(before.flatMap(({ tag }) => tag ?? []).sort());
      expect(judged.codes, `cut at ${cut}`).toContain('TAR_CUT');
      expect(judged.sound, `cut at ${cut}`).toBe(false);
      if (cut % 2048 === 0) expect(await judge(await asStream(bytes)), `cut at ${cut}, as a stream`).toEqual(judged);
    }
  });

  it('one byte flipped in each block: it is told, or harms nothing, and only what it hits is lost', async () => {
    for (let block = 0; block * 512 < members.reduce((sum, { length }) => sum + length, 0); block++) {
      const at = block * 512 + ((block * 97) % 512);
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x41;
      const judged = await judge(asFile(bytes));
      expect(judged.refused, `byte ${at}`).toBeUndefined();
      if (judged.sound) expect(judged.whole, `byte ${at}`).toEqual(['team/app:v1', 'team/multi:v1']);
      // Both images share no blob, so one byte harms one of them at most.
      expect(judged.whole.length, `byte ${at}`).toBeGreaterThanOrEqual(1);
    }
  });
});
