// @ts-check
import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const windowBytes = 4 * 1024 * 1024;
const recordBytes = 10_240;
const largestOctalSize = 8 ** 11 - 1;

const fileTemplate = template('0000644', '0');
const directoryTemplate = template('0000755', '5');
const longNameTemplate = template('0000644', 'L');

/**
 * Writes a tar as GNU tar's default format does, fast enough for millions of members: synchronous, one window, no object per member.
 * @param {string} path of the new file
 */
export function createTarFile(path) {
  const fd = openSync(path, 'wx');
  const window = Buffer.alloc(windowBytes);
  let filled = 0;
  let written = 0;
  let members = 0;
  let files = 0;

  const flush = () => {
    write(window.subarray(0, filled));
    filled = 0;
  };
  const write = (/** @type {Buffer} */ bytes) => {
    for (let at = 0; at < bytes.length;) {
      const count = writeSync(fd, bytes, at, bytes.length - at, written);
      at += count;
      written += count;
    }
  };
  const room = (/** @type {number} */ bytes) => {
    if (filled + bytes > windowBytes) flush();
  };
  const put = (/** @type {Buffer} */ bytes) => {
    if (bytes.length > windowBytes / 4) {
      flush();
      write(bytes);
      return;
    }
    room(bytes.length);
    filled += bytes.copy(window, filled);
  };
  const pad = (/** @type {number} */ size) => {
    const rest = (512 - (size % 512)) % 512;
    room(rest);
    window.fill(0, filled, filled + rest);
    filled += rest;
  };
  const block = (/** @type {Buffer} */ base, /** @type {string} */ name, /** @type {number} */ size) => {
    room(512);
    base.copy(window, filled);
    window.write(name, filled, 100, 'latin1');
    if (size > largestOctalSize) {
      window[filled + 124] = 0x80;
      window.writeBigUInt64BE(BigInt(size), filled + 128);
    } else {
      window.write(size.toString(8).padStart(11, '0'), filled + 124, 'latin1');
    }
    let sum = 0;
    for (let at = filled; at < filled + 512; at++) sum += /** @type {number} */ (window[at]);
    window.write(`${sum.toString(8).padStart(6, '0')}\0 `, filled + 148, 'latin1');
    filled += 512;
  };
  const header = (/** @type {Buffer} */ base, /** @type {string} */ name, /** @type {number} */ size) => {
    // Names are ASCII here: characters are bytes.
    if (name.length > 100) {
      block(longNameTemplate, '././@LongLink', name.length + 1);
      put(Buffer.from(`${name}\0`, 'latin1'));
      pad(name.length + 1);
    }
    block(base, name, size);
    members += 1;
  };

  return {
    /** @param {string} name with its final slash */
    directory: (name) => header(directoryTemplate, name, 0),
    /** @param {string} name @param {number} size @param {Iterable<Buffer>} pieces that come to this size */
    file: (name, size, pieces) => {
      files += 1;
      header(fileTemplate, name, size);
      for (const piece of pieces) put(piece);
      pad(size);
    },
    /** A file that goes on with zeros, which take no room on disk. @param {string} name @param {number} size @param {Buffer} head */
    fileWithHole: (name, size, head) => {
      files += 1;
      header(fileTemplate, name, size);
      put(head);
      flush();
      written += Math.ceil(size / 512) * 512 - head.length;
    },
    /** @returns {{ members: number, files: number, bytes: number }} */
    end: () => {
      flush();
      const bytes = Math.ceil((written + 1024) / recordBytes) * recordBytes;
      ftruncateSync(fd, bytes);
      fsyncSync(fd);
      closeSync(fd);
      return { members, files, bytes };
    },
  };
}

/** @param {string} mode @param {string} type */
function template(mode, type) {
  const block = Buffer.alloc(512);
  const fields = /** @type {const} */ ([
    [100, mode],
    [108, '0000000'],
    [116, '0000000'],
    [136, '14616107211'],
    [148, '        '],
    [156, type],
    [257, 'ustar  '],
    [265, 'root'],
    [297, 'root'],
  ]);
  for (const [at, text] of fields) block.write(text, at, 'latin1');
  return block;
}
