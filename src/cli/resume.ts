import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { RegtarError, withHint } from '../errors.ts';
import { isSpecialFile, outputFile } from '../io/output-stream.ts';
import { isVanished } from '../io/watched-folder.ts';

/**
 * `--resume` goes on with something. Where nothing is, the medium is probably not mounted, and what began there anew
 * would land on the disk under the mount point.
 * @param isArchive whether OUT is one file, or several that are called like it
 * @throws RegtarError USAGE
 */
export function requireBegun(out: string, isArchive: boolean): void {
  if (out === '-' || isSpecialFile(out))
    throw new RegtarError('USAGE', '--resume continues a file or a folder, but OUT is a stream', {
      hint: 'leave --resume out: what went into a stream cannot be read back',
    });
  if (isArchive ? isArchiveBegun(out) : isFolderBegun(out)) return;
  throw new RegtarError('USAGE', `--resume continues an export, but there is none at ${out}`, {
    where: { path: out },
    hint: 'is the medium mounted there? To start a new export, leave --resume out',
  });
}

function isFolderBegun(out: string): boolean {
  return namesIn(out).some((name) => name.startsWith('.regtar') || /^volume-|^index\.json$|^oci-layout$/.test(name));
}

function isArchiveBegun(out: string): boolean {
  if (existsSync(out) || existsSync(outputFile(out).temporary)) return true;
  const stem = basename(out).replace(/\.tar$/, '-');
  return namesIn(dirname(resolve(out))).some((name) => name.startsWith(stem) || name.startsWith(`.regtar-${stem}`));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A failure of an export, with the next step where its medium is gone. */
export function withResumeHint(error: unknown): unknown {
  if (!isVanished(error) || !(error instanceof RegtarError)) return error;
  return withHint(
    error,
    'mount the medium again where it was, then run the same command with --resume: it goes on with what is there',
  );
}
