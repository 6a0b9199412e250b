import { RegtarError } from '../errors.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { blockBytes, headerSize, isHeaderValid, isZeroBlock } from '../tar/header.ts';
import { findNextHeader } from '../tar/resynchronise.ts';

/**
 * What a file's first bytes say it is. `unknown` may still hold members further on: a tar whose beginning is damaged.
 */
export type SourceForm = 'tar' | 'gzip' | 'zstd' | 'unknown';

/** Bytes that `recogniseForm` wants to see; fewer when there are no more. */
export const recognisedBytes = 34 * 1024;

/**
 * A tar whose beginning is lost is one as long as a header follows within this: more rubbish than that is something
 * else.
 */
const searchedBytes = 64 * 1024 * 1024;

/** Formats that people give by mistake, with the bytes that begin them. */
const foreign: readonly {
  readonly name: string;
  readonly at?: number;
  readonly bytes: string;
  readonly unpack?: string;
}[] = [
  { name: 'xz-compressed data', bytes: '\xfd7zXZ\0', unpack: 'xz -dc' },
  { name: 'bzip2-compressed data', bytes: 'BZh', unpack: 'bzip2 -dc' },
  { name: 'lz4-compressed data', bytes: '\x04\x22\x4d\x18', unpack: 'lz4 -dc' },
  { name: 'lzip-compressed data', bytes: 'LZIP', unpack: 'lzip -dc' },
  { name: 'compress(1) data', bytes: '\x1f\x9d', unpack: 'zcat' },
  { name: 'a zip file', bytes: 'PK\x03\x04' },
  { name: 'a 7-Zip file', bytes: '7z\xbc\xaf\x27\x1c' },
  { name: 'an rpm package', bytes: '\xed\xab\xee\xdb' },
  { name: 'an ar archive or Debian package', bytes: '!<arch>\n' },
  { name: 'a cpio archive', bytes: '07070' },
  { name: 'an ELF program', bytes: '\x7fELF' },
  { name: 'a qcow2 disk image', bytes: 'QFI\xfb' },
  { name: 'a VMDK disk image', bytes: 'KDMV' },
  { name: 'a squashfs file system', bytes: 'hsqs' },
  { name: 'an ext2, ext3 or ext4 file system', at: 1080, bytes: '\x53\xef' },
  { name: 'an ISO 9660 image', at: 32769, bytes: 'CD001' },
  { name: 'a PDF document', bytes: '%PDF' },
  { name: 'a PNG picture', bytes: '\x89PNG' },
  { name: 'an SQLite database', bytes: 'SQLite format 3\0' },
  { name: 'an encrypted file', bytes: 'Salted__' },
  { name: 'an encrypted file (age)', bytes: 'age-encryption.org/' },
  { name: 'an OpenPGP message', bytes: '-----BEGIN PGP' },
];

/**
 * Tells by content, never by name.
 * @param start the first `recognisedBytes`, or all there are
 * @throws RegtarError SOURCE_EMPTY; SOURCE_COMPRESSED for compressions that are not read; SOURCE_NOT_TAR for what is
 * plainly something else
 */
export function recogniseForm(start: Uint8Array, describe: string): SourceForm {
  if (start.length === 0)
    throw new RegtarError('SOURCE_EMPTY', `${describe} is empty`, {
      where: { path: describe },
      hint: "was the copy interrupted? Compare its size with the original's",
    });
  const block = Buffer.alloc(blockBytes);
  block.set(start.subarray(0, blockBytes));
  const words = new Int32Array(block.buffer, block.byteOffset, blockBytes / 4);
  if (
    start.length >= blockBytes &&
    (isZeroBlock(words, 0) || (isHeaderValid(block, words, 0) && headerSize(block, 0) !== undefined))
  )
    return 'tar';
  const text = Buffer.from(start.buffer, start.byteOffset, start.length).toString('latin1');
  if (text.startsWith('\x1f\x8b')) return 'gzip';
  // The second form is a skippable frame, with which parallel compressors begin.
  if (text.startsWith('\x28\xb5\x2f\xfd') || /^[\x50-\x5f]\x2a\x4d\x18/.test(text)) return 'zstd';
  const match = foreign.find(({ at = 0, bytes }) => text.startsWith(bytes, at));
  if (match?.unpack !== undefined) {
    throw new RegtarError(
      'SOURCE_COMPRESSED',
      `${describe} is ${match.name}; gzip and zstd are read as they are, this is not`,
      {
        where: { path: describe },
        hint: `unpack it on the way: \`${match.unpack} ${describe} | regtar … -\``,
      },
    );
  }
  if (match !== undefined) throw notTar(describe, match.name);
  if (isText(start)) throw notTar(describe, `text: "${firstLine(text)}"`);
  return 'unknown';
}

/**
 * Recognises a file; one whose beginning is damaged is a tar when a header follows.
 * @throws RegtarError SOURCE_EMPTY, SOURCE_COMPRESSED, SOURCE_NOT_TAR
 */
export function recogniseAccess(access: RandomAccess, describe: string): Exclude<SourceForm, 'unknown'> {
  const start = Buffer.alloc(Math.min(recognisedBytes, access.size));
  const form = recogniseForm(start.subarray(0, readFullySync(access, start, 0, start.length, 0)), describe);
  if (form !== 'unknown') return form;
  const searched: RandomAccess = access.size <= searchedBytes ? access : { ...access, size: searchedBytes };
  if (findNextHeader(searched, 0).position < searched.size) return 'tar';
  throw notTar(describe);
}

/** @param what a noun, as `a zip file`; absent: regtar does not know this kind of file */
export function notTar(describe: string, what?: string): RegtarError {
  return new RegtarError(
    'SOURCE_NOT_TAR',
    `${describe} is not a tar archive${what === undefined ? '' : ` but ${what}`}`,
    {
      where: { path: describe },
      hint:
        "give the registry's storage as `cd /var/lib/registry && tar -cpf docker.tar docker` packs it, or the " +
        'folder itself',
    },
  );
}

function isText(start: Uint8Array): boolean {
  return start.subarray(0, 1024).every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13 || byte === 27);
}

function firstLine(text: string): string {
  const [line = ''] = text.split(/[\r\n]/, 1);
  const plain = line.replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length > 60 ? `${plain.slice(0, 57)}...` : plain;
}
