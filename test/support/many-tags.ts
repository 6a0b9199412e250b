import type { RandomAccess } from '../../src/io/random-access.ts';
import { header } from './tar-builder.ts';

const block = 512;
const digits = 8;
const root = 'repositories/many/_manifests/tags/t';

/**
 * An archive of `count` tags in one folder that exists nowhere: each block is made where it is read, so that ten millions cost no disk.
 * @param link what each tag's link holds
 */
export function manyTags(count: number, link: string): RandomAccess {
  const first = header({ path: `${root}${'0'.repeat(digits)}/current/link`, size: link.length });
  const body = Buffer.alloc(block);
  body.write(link);
  const blocks = link === '' ? 1 : 2;
  const size = (count * blocks + 2) * block;
  const zeroSum = Number.parseInt(first.toString('latin1', 148, 154), 8);

  const blockAt = (index: number): Buffer => {
    if (index >= count * blocks) return Buffer.alloc(block);
    if (index % blocks === 1) return body;
    const number = String(index / blocks).padStart(digits, '0');
    let sum = zeroSum;
    for (let at = 0; at < digits; at++) {
      const code = number.charCodeAt(at);
      first[root.length + at] = code;
      sum += code - 48;
    }
    first.write(sum.toString(8).padStart(6, '0'), 148, 'latin1');
    return first;
  };

  const readSync = (buffer: Uint8Array, offset: number, length: number, position: number): number => {
    const end = Math.min(position + length, size);
    for (let at = position; at < end;) {
      const inside = at % block;
      const piece = blockAt(Math.floor(at / block)).subarray(inside, inside + end - at);
      buffer.set(piece, offset + at - position);
      at += piece.length;
    }
    return Math.max(0, end - position);
  };
  return { size, readSync, read: async (...place) => readSync(...place), changed: () => false, close: () => undefined };
}
