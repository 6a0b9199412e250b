import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { copyImages } from '../../src/copy/copy-images.ts';
import { RegtarError } from '../../src/errors.ts';
import { collectBody } from '../../src/io/body.ts';
import { digestAlgorithm, digestHex, type Digest } from '../../src/oci/digest.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { openFileSink } from '../../src/formats/open-file-sink.ts';
import type { Backup } from '../../src/source/backup.ts';
import { openCompressed } from '../../src/source/open-stream.ts';
import { openTarFile } from '../../src/source/tar-file.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import type { StorageCatalog } from '../../src/formats/registry/storage-catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { verifyBackup } from '../../src/verify/verify.ts';
import { readLayout } from '../support/read-layout.ts';
import { memoryAccess } from '../tar/support/memory-access.ts';
import { seekMembers, streamMembers, type Seen } from '../tar/support/members.ts';

export interface Case {
  readonly bytes: Buffer;
  /** `repository:tag digest` of every image of the archive before it was changed. */
  readonly images: readonly string[];
  readonly isNoticed: boolean;
  /** An empty place that may be filled. */
  readonly folder: string;
  readonly isExported: boolean;
}

/** One case may take this long; nothing here has more than a few hundred kilobytes. */
const longestSeconds = 10;

/**
 * What holds of every archive, however it was damaged or forged.
 * @throws Error that says which of it does not
 */
export async function holdInvariants(fuzzed: Case): Promise<void> {
  const started = performance.now();
  await readersAgree(fuzzed.bytes);
  const seeking = await judge(() => openTarFile(memoryAccess(fuzzed.bytes), 'fuzzed'), fuzzed);
  const streaming = await judge(
    () =>
      openCompressed(
        { chunks: Readable.from([fuzzed.bytes]), form: 'tar', describe: 'fuzzed', bytes: undefined },
        { spoolFolder: `${fuzzed.folder}/spool`, keep: 'all' },
      ),
    fuzzed,
  );
  same('the catalog of a file and of a stream', seeking, streaming);
  if ((performance.now() - started) / 1000 > longestSeconds)
    throw new Error(`it took ${Math.round(performance.now() - started)} ms`);
}

async function readersAgree(bytes: Buffer): Promise<void> {
  const [seek, stream] = [await seekMembers(bytes), await streamMembers(bytes, 4096)].map(linesOf);
  same('what both readers say', seek, stream);
}

function linesOf({ members, problems }: Seen): string[] {
  return [
    ...members.map(({ path, kind, target, modified, content }) =>
      JSON.stringify([
        path,
        kind,
        target,
        modified,
        content === undefined ? '' : createHash('sha256').update(content).digest('hex'),
      ]),
    ),
    ...problems.map((problem) => JSON.stringify(problem)),
  ];
}

/** Opens, verifies and, where asked for, exports. @returns what was found, or the code of what refused it */
async function judge(open: () => Backup | Promise<Backup>, fuzzed: Case): Promise<unknown> {
  let backup: Backup | undefined;
  try {
    backup = await open();
    const catalog = await readCatalog(backup);
    return await judgeCatalog(backup, catalog, fuzzed);
  } catch (error) {
    if (!(error instanceof RegtarError) || error.code === 'INTERNAL') throw error;
    if (fuzzed.isNoticed && !/^SOURCE_/.test(error.code)) throw error;
    return error.code;
  } finally {
    await backup?.close();
  }
}

async function judgeCatalog(backup: Backup, catalog: StorageCatalog, fuzzed: Case): Promise<unknown> {
  const store = openContentStore(backup, catalog);
  const report = await verifyBackup({ catalog, store }, { jobs: 1 });
  const corrupt = new Set(report.problems.filter(({ code }) => code === 'BLOB_CORRUPT').map(({ digest }) => digest));
  for (const digest of catalog.blobs()) {
    const isRight = (await hashOf(backup, catalog, digest)) === digestHex(digest);
    if (isRight === corrupt.has(digest))
      throw new Error(
        `verify says of ${digest} that it is ${corrupt.has(digest) ? 'damaged' : 'right'}, and it is not`,
      );
  }
  const whole = new Set(
    report.verdicts
      .filter(({ state }) => state === 'whole')
      .map(({ repository, tag, digest }) => `${repository}:${tag ?? ''} ${digest ?? ''}`),
  );
  const lost = fuzzed.images.filter((image) => !whole.has(image));
  if (fuzzed.isNoticed && report.sound && lost.length > 0)
    throw new Error(`verify calls it sound, and ${lost.join(', ')} is gone`);
  for (const { code, message } of report.problems)
    if (!/^[A-Z0-9_]+$/.test(code) || message === '' || message.length > 5000)
      throw new Error(`a problem is not named: ${code} ${message.slice(0, 100)}`);
  if (fuzzed.isExported)
    await exportIsWhole(catalog, store, whole, `${fuzzed.folder}/out-${backup.format}-${serial++}`);
  return {
    tags: [...catalog.repositories()].flatMap((repository) =>
      [...catalog.tags(repository)].map(({ tag, digest }) => `${repository}:${tag} ${digest}`),
    ),
    states: report.verdicts.map(({ state }) => state),
    problems: report.problems.map(({ code }) => code),
  };
}

let serial = 0;

async function hashOf(backup: Backup, catalog: StorageCatalog, digest: Digest): Promise<string> {
  const location = catalog.stored.get(digest)?.location;
  if (location === undefined) throw new Error(`${digest} has no place`);
  return createHash(digestAlgorithm(digest))
    .update(await collectBody(backup.read(location), Number.POSITIVE_INFINITY))
    .digest('hex');
}

/** Whatever arrives is whole, by an independent reader; whatever verify calls whole arrives. */
async function exportIsWhole(
  catalog: StorageCatalog,
  store: ReturnType<typeof openContentStore>,
  whole: ReadonlySet<string>,
  out: string,
): Promise<void> {
  const sink = await openFileSink('oci', { out });
  const plan = createPlan(catalog, store, { filter: createFilter({}), rename: createRenamer({}), traits: sink.traits });
  const report = await copyImages(plan, store, sink, { jobs: 2 });
  const copied = new Set(
    report.images
      .filter(({ status }) => status === 'copied' || status === 'present')
      .map(({ repository, tag, digest }) => `${repository}:${tag ?? ''} ${digest ?? ''}`),
  );
  for (const { status, error } of report.images)
    if (status === 'failed' && (error === undefined || error.code === 'INTERNAL'))
      throw new Error(`a failed image has no reason: ${error?.message ?? ''}`);
  const absent = [...whole].filter(
    (image) =>
      !image.includes(': ') &&
      !copied.has(image) &&
      !report.images.some(
        ({ status, repository, tag, digest }) =>
          status === 'skipped' && image === `${repository}:${tag ?? ''} ${digest ?? ''}`,
      ),
  );
  if (absent.length > 0) throw new Error(`verify calls ${absent.join(', ')} whole, and export did not bring it`);
  if (copied.size > 0) await readLayout(out);
  else if (existsSync(`${out}/index.json`)) await readLayout(out);
}

function same(what: string, left: unknown, right: unknown): void {
  const [one, two] = [JSON.stringify(left), JSON.stringify(right)];
  if (one === two) return;
  let at = 0;
  while (one[at] === two[at]) at++;
  throw new Error(
    `${what} differ: …${one.slice(Math.max(0, at - 200), at + 300)} and …${two.slice(Math.max(0, at - 200), at + 300)}`,
  );
}
