// @ts-check
import { createHash } from 'node:crypto';

/** @typedef {import('./plan-images.js').Layer} Layer */

const layerHeadBytes = 32;
const zeros = Buffer.alloc(8 * 1024 * 1024);

/**
 * A layer's own first bytes. They begin as gzip does, because clients that find no known compression compress what they send; behind
 * them nothing unpacks.
 * @param {Layer} layer
 */
export function layerHead(layer) {
  const head = Buffer.from('1f8b0800000000000003'.padEnd(2 * layerHeadBytes, '00'), 'hex');
  head.writeUInt32LE(layer.number, 12);
  head.writeDoubleLE(layer.size, 16);
  return head.subarray(0, Math.min(layerHeadBytes, layer.size));
}

/**
 * The rest, cut from the pool at a place of its own; nothing for a hole.
 * @param {Layer} layer
 * @param {Buffer} pool
 * @returns {Iterable<Buffer>}
 */
export function* layerRest(layer, pool) {
  let at = (layer.number * 7_368_787) % pool.length;
  for (let left = Math.max(0, layer.size - layerHeadBytes); left > 0;) {
    const piece = pool.subarray(at, Math.min(pool.length, at + left));
    yield piece;
    left -= piece.length;
    at = 0;
  }
}

/** @param {Layer} layer @param {Buffer} pool @returns {string} `sha256:…` */
export function layerDigest(layer, pool) {
  const hash = createHash('sha256').update(layerHead(layer));
  if (!layer.hole) {
    for (const piece of layerRest(layer, pool)) hash.update(piece);
  } else {
    for (let left = layer.size - layerHeadBytes; left > 0; left -= zeros.length)
      hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
  }
  return `sha256:${hash.digest('hex')}`;
}
