import { limits } from '../io/limits.ts';
import { createDigester, digestAlgorithm, type Digest } from '../oci/digest.ts';
import type { Member } from '../tar/member.ts';
import type { PlacedRun } from '../tar/sparse.ts';
import type { BodyTaker } from '../tar/stream-scan.ts';
import type { Location } from './backup.ts';
import type { Spool } from './spool.ts';

/** `Location.start` of contents that were not kept. */
export const notKept = 2 ** 48 - 1;

/** Told of each member when its body has passed whole. */
export type TellMember = (member: Member, location: Location, bytes: Uint8Array | undefined, file?: number) => void;

/** What may become of a member's body as it passes; each tells of the member at its end. */
export interface BodyTakers {
  /** Nothing is kept of it but its size. */
  passing(member: Member): BodyTaker;
  /** It goes whole into the file that small contents share. */
  small(member: Member): BodyTaker;
  /** Its digest is kept, and nothing of its bytes. */
  hashing(member: Member, digest: Digest | undefined): BodyTaker;
  /** It gets a file of its own. @param digest that of a blob's name; undefined for any other large content */
  large(member: Member, digest: Digest | undefined): BodyTaker;
  /** A manifest or a config may be larger than what is packed; nothing else begins like JSON. */
  onlyJson(member: Member, otherwise: (member: Member) => BodyTaker): BodyTaker;
  /** For a blob that is here already, and was right: the second is dropped without a look. Otherwise undefined. */
  repeated(member: Member, digest: Digest): BodyTaker | undefined;
  /** Drops large contents with no blob's name. @param isNeeded asked with their path, as it is and as links write it */
  dropOthers(isNeeded: (path: string, cleanPath: string) => boolean): void;
}

/** Bodies that are kept go into `spool`. */
export function createBodyTakers(spool: Spool, tell: TellMember): BodyTakers {
  /** Large contents with no blob's name, by path. */
  const held = new Map<string, { readonly path: string; readonly file: string }>();
  const known = new Map<Digest, { readonly file: number; readonly size: number }>();
  const takers: BodyTakers = {
    passing: (member) => ({
      write: () => undefined,
      end: (isWhole) => {
        if (isWhole) tell(member, { size: member.size, start: notKept }, undefined);
      },
    }),
    small(member) {
      const bytes = Buffer.allocUnsafe(member.size);
      let filled = 0;
      return {
        write: (chunk) =>
          void (filled += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).copy(bytes, filled)),
        end: (isWhole) => {
          if (!isWhole) return;
          const location = { size: member.size, start: spool.append(bytes) };
          tell(member, location, member.size <= limits.linkBytes ? bytes : undefined);
        },
      };
    },
    hashing(member, digest) {
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
    },
    large(member, digest) {
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
          if (digest === undefined) held.set(cleanPath(path), { path, file });
          else if (spool.digestOf(file) === digest) known.set(digest, { file: output.number, size });
          tell(member, { size, start: 0, file }, undefined, output.number);
        },
      };
    },
    onlyJson(member, otherwise) {
      let taker: BodyTaker | undefined;
      return {
        write: (chunk) => (taker ??= isJson(chunk) ? takers.small(member) : otherwise(member)).write(chunk),
        end: (isWhole) => taker?.end(isWhole),
      };
    },
    repeated(member, digest) {
      const first = known.get(digest);
      if (first === undefined) return undefined;
      const location = { size: first.size, start: 0, file: spool.fileOf(first.file) };
      return {
        write: () => undefined,
        end: (isWhole) => {
          if (isWhole) tell(member, location, undefined, first.file);
        },
      };
    },
    dropOthers(isNeeded) {
      for (const [clean, { path, file }] of held) if (!isNeeded(path, clean)) spool.drop(file);
    },
  };
  return takers;
}

function isJson(start: Uint8Array): boolean {
  return /^\s*\{/.test(Buffer.from(start.buffer, start.byteOffset, Math.min(start.length, 64)).toString('latin1'));
}

function cleanPath(path: string): string {
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
