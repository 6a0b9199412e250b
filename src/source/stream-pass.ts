import type { Problem } from '../errors.ts';
import { linkedPath } from '../formats/registry/layout.ts';
import { limits } from '../io/limits.ts';
import { createDigester, digestAlgorithm, makeDigest, type Digest } from '../oci/digest.ts';
import type { Member } from '../tar/member.ts';
import type { PlacedRun } from '../tar/sparse.ts';
import { scanTarStream, type BodyTaker } from '../tar/stream-scan.ts';
import type { Backup, Entry, Location } from './backup.ts';
import { createEntryLog } from './entry-log.ts';
import type { Spool } from './spool.ts';

/**
 * What a pass keeps: `all` for outputs, `small` (manifests, configs, links) where layers are not read, `digests` where
 * they are only to be hashed.
 */
export type Kept = 'all' | 'small' | 'digests';

/** What one pass over a stream leaves behind, beside its spool. */
export interface StreamPass {
  readonly problems: readonly Problem[];
  /** Every entry with its place in the spool. */
  readonly log: readonly Uint8Array[];
}

/** `Location.start` of contents that were not kept. */
export const notKept = 2 ** 48 - 1;

/** Contents up to this share one file: a file each would cost more than their bytes. */
const packedBytes = 64 * 1024;

/**
 * Reads a stream to its end. What lies under a blob's name is kept and hashed; other large contents are kept until the
 * end of the pass, since a blob may be a link to them, and dropped when none is.
 */
export async function passStream(
  chunks: AsyncIterable<Uint8Array>,
  spool: Spool,
  keep: Kept,
  visit: (entry: Entry) => void,
  options: Parameters<Backup['scan']>[1],
): Promise<StreamPass> {
  const log = createEntryLog();
  /** Large contents with no blob's name, by path. */
  const held = new Map<string, { readonly file: string; isWanted: boolean }>();
  const targets = new Set<string>();
  const known = new Map<Digest, { readonly file: number; readonly size: number }>();
  const isWanted = (path: string): boolean => options?.isWanted?.(path) === true;

  const tell = (member: Member, location: Location, bytes: Uint8Array | undefined, file?: number): void => {
    const entry: Entry = {
      path: member.path,
      kind: member.kind,
      target: member.target,
      modified: member.modified,
      location,
      bytes,
    };
    if (isWorthRepeating(member)) log.add(entry, file);
    visit(entry);
  };

  const small = (member: Member): BodyTaker => {
    const bytes = Buffer.allocUnsafe(member.size);
    let filled = 0;
    return {
      write: (chunk) => void (filled += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).copy(bytes, filled)),
      end: (isWhole) => {
        if (isWhole)
          tell(
            member,
            { size: member.size, start: spool.append(bytes) },
            member.size <= limits.linkBytes ? bytes : undefined,
          );
      },
    };
  };

  /** Nothing is kept of it but its size. */
  const passing = (member: Member): BodyTaker => ({
    write: () => undefined,
    end: (isWhole) => {
      if (isWhole) tell(member, { size: member.size, start: notKept }, undefined);
    },
  });

  /** Its digest is kept, and nothing of its bytes. */
  const hashing = (member: Member, digest: Digest | undefined): BodyTaker => {
    const digester = createDigester(digest === undefined ? 'sha256' : digestAlgorithm(digest));
    return {
      write: (chunk) => void digester.update(chunk),
      end(isWhole) {
        if (!isWhole) return;
        const actual = digester.digest();
        const number = spool.note(actual);
        if (digest !== undefined && actual === digest) known.set(digest, { file: number, size: member.size });
        tell(member, { size: member.size, start: 0, file: spool.fileOf(number) }, undefined, number);
      },
    };
  };

  /** A manifest or a config may be larger than what is packed; nothing else begins like JSON. */
  const onlyJson = (member: Member, otherwise: (member: Member) => BodyTaker): BodyTaker => {
    let taker: BodyTaker | undefined;
    return {
      write: (chunk) => (taker ??= isJson(chunk) ? small(member) : otherwise(member)).write(chunk),
      end: (isWhole) => taker?.end(isWhole),
    };
  };

  /** A blob that is here already: the second is dropped without a look, since the first is right. */
  const repeated = (member: Member, first: { readonly file: number; readonly size: number }): BodyTaker => ({
    write: () => undefined,
    end: (isWhole) => {
      if (isWhole) tell(member, { size: first.size, start: 0, file: spool.fileOf(first.file) }, undefined, first.file);
    },
  });

  const large = (member: Member, digest: Digest | undefined): BodyTaker => {
    const output = spool.create(digest === undefined ? 'sha256' : digestAlgorithm(digest));
    const file = spool.fileOf(output.number);
    const { path, size, runs } = member;
    const place = runs === undefined ? undefined : placer(runs);
    return {
      write: (chunk) =>
        place === undefined ? output.write(chunk) : writeRuns(place(chunk), (bytes, at) => output.write(bytes, at)),
      end(isWhole) {
        if (!isWhole) return output.discard();
        output.close(runs === undefined ? undefined : size);
        if (digest === undefined) held.set(normalPath(path), { file, isWanted: isWanted(path) });
        else if (spool.digestOf(file) === digest) known.set(digest, { file: output.number, size });
        tell(member, { size, start: 0, file }, undefined, output.number);
      },
    };
  };

  const begin = (member: Member): BodyTaker => {
    if (member.kind !== 'file') {
      const target =
        member.kind === 'hardlink' || member.kind === 'symlink'
          ? linkedPath(member.path, member.target, member.kind)
          : undefined;
      // Blobs are kept anyway.
      if (target !== undefined && blobDigest(target) === undefined) targets.add(target);
      return passing(member);
    }
    if (member.size <= packedBytes && member.runs === undefined) return small(member);
    if (member.path.includes('/_uploads/')) return passing(member);
    // An index of a hundred thousand images is larger than any manifest.
    if (isIndexFile(member) && isWanted(member.path)) return small(member);
    const mayBeJson = member.size <= limits.manifestBytes && member.runs === undefined;
    if (keep === 'small') return mayBeJson ? onlyJson(member, passing) : passing(member);
    const digest = blobDigest(member.path);
    const earlier = digest === undefined ? undefined : known.get(digest);
    if (earlier !== undefined) return repeated(member, earlier);
    // The holes of a sparse member are filled in a file.
    if (keep === 'all' || member.runs !== undefined) return large(member, digest);
    return mayBeJson ? onlyJson(member, (other) => hashing(other, digest)) : hashing(member, digest);
  };

  const problems = await scanTarStream(chunks, begin, options);
  spool.flush();
  for (const target of targets) {
    const content = held.get(target);
    if (content !== undefined) content.isWanted = true;
  }
  for (const { file, isWanted } of held.values()) if (!isWanted) spool.drop(file);
  return { problems, log: log.pieces() };
}

function isJson(start: Uint8Array): boolean {
  return /^\s*\{/.test(Buffer.from(start.buffer, start.byteOffset, Math.min(start.length, 64)).toString('latin1'));
}

function isIndexFile({ path, size, runs }: Member): boolean {
  return path.endsWith('.json') && size <= limits.layoutIndexBytes && runs === undefined;
}

/** Folders mean nothing, but for those of tags, which may lack everything else. */
function isWorthRepeating(member: Member): boolean {
  return member.kind !== 'directory' || member.path.includes('/_manifests/tags/');
}

/** In a registry's storage and in OCI layouts. */
const blobPattern = /(?:^|\/)blobs\/(sha256|sha512)\/(?:[0-9a-f]{2}\/([0-9a-f]+)\/data|([0-9a-f]+))$/;

function blobDigest(path: string): Digest | undefined {
  const [, algorithm, stored, plain] = blobPattern.exec(path) ?? [];
  const hex = stored ?? plain;
  return algorithm === undefined || hex === undefined ? undefined : makeDigest(algorithm, hex);
}

function normalPath(path: string): string {
  return path.replace(/^(?:\.?\/)+/, '');
}

/** Spreads the stored bytes of a sparse member, which come in order, over the places that they have in the file. */
function placer(
  runs: readonly PlacedRun[],
): (chunk: Uint8Array) => readonly { readonly at: number; readonly bytes: Uint8Array }[] {
  let index = 0;
  let done = 0;
  return (chunk) => {
    const pieces: { at: number; bytes: Uint8Array }[] = [];
    for (let left = chunk; left.length > 0;) {
      const run = runs[index];
      if (run === undefined) break;
      const bytes = left.subarray(0, run.size - done);
      pieces.push({ at: run.at + done, bytes });
      left = left.subarray(bytes.length);
      done += bytes.length;
      if (done >= run.size) {
        index++;
        done = 0;
      }
    }
    return pieces;
  };
}

async function writeRuns(
  pieces: readonly { readonly at: number; readonly bytes: Uint8Array }[],
  write: (bytes: Uint8Array, at: number) => Promise<void> | void,
): Promise<void> {
  for (const { at, bytes } of pieces) await write(bytes, at);
}
