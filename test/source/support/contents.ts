import { collectBody } from '../../../src/io/body.ts';
import { digestAlgorithm, digestOf } from '../../../src/oci/digest.ts';
import { openSource } from '../../../src/source/open-source.ts';
import type { OpenSourceOptions } from '../../../src/source/options.ts';
import type { Backup } from '../../../src/source/backup.ts';
import { readCatalog } from '../../../src/formats/registry/catalog.ts';

export interface Contents {
  /** `repository:tag digest`, sorted. */
  readonly tags: readonly string[];
  /** `whole`, or the digests whose bytes are wrong by stream or by `readSmall`. */
  readonly blobs: 'whole' | readonly string[];
  /** Codes, sorted. */
  readonly problems: readonly string[];
  readonly format: string;
}

/** Everything that a source yields, each blob read and hashed. */
export async function contentsOf(operands: readonly string[], options: OpenSourceOptions = {}): Promise<Contents> {
  const backup = await openSource(operands, options);
  try {
    return await readContents(backup);
  } finally {
    await backup.close();
  }
}

export async function readContents(backup: Backup): Promise<Contents> {
  const catalog = await readCatalog(backup);
  const tags = [...catalog.repositories()].flatMap((repository) =>
    [...catalog.tags(repository)].map(({ tag, digest }) => `${repository}:${tag} ${digest}`),
  );
  const wrong: string[] = [];
  for (const digest of catalog.blobs()) {
    const location = catalog.stored.get(digest)?.location;
    if (location === undefined) continue;
    const bytes = await collectBody(backup.read(location), 64 * 1024 * 1024);
    const small = backup.readSmall(location);
    if (digestOf(bytes, digestAlgorithm(digest)) !== digest || digestOf(small, digestAlgorithm(digest)) !== digest)
      wrong.push(digest);
  }
  return {
    tags,
    blobs: wrong.length === 0 ? 'whole' : wrong,
    problems: catalog.problems.map(({ code }) => code).sort(),
    format: backup.format,
  };
}
