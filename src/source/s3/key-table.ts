/** Keys of blobs by number, with their ETags: the bytes of their digest and of an MD5, where they say no more. */
export interface KeyTable {
  /** @param etag without quotes; empty where it is not known */
  add(key: string, etag: string): number;
  keyOf(index: number): string;
  /** Without quotes; empty where it is not known. */
  etagOf(index: number): string;
}

const digestBytes = 32;
const rowBytes = digestBytes + 16;
const blob = /^blobs\/sha256\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\/data$/;
const md5 = /^[0-9a-f]{32}$/;

/** @param root what all keys begin with */
export function createKeyTable(root: string): KeyTable {
  let rows = Buffer.alloc(1024 * rowBytes);
  let count = 0;
  const otherKeys = new Map<number, string>();
  /** Those of objects that came in parts, and of servers with ways of their own. */
  const otherEtags = new Map<number, string>();
  return {
    add(key, etag) {
      const hex = blob.exec(key.slice(root.length))?.[2];
      const start = count * rowBytes;
      if (start + rowBytes > rows.length) rows = Buffer.concat([rows, Buffer.alloc(rows.length)]);
      if (hex === undefined) otherKeys.set(count, key);
      else rows.write(hex, start, 'hex');
      if (md5.test(etag)) rows.write(etag, start + digestBytes, 'hex');
      else otherEtags.set(count, etag);
      return count++;
    },
    keyOf(index) {
      const other = otherKeys.get(index);
      if (other !== undefined) return other;
      const hex = rows.toString('hex', index * rowBytes, index * rowBytes + digestBytes);
      return `${root}blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
    },
    etagOf: (index) =>
      otherEtags.get(index) ?? rows.toString('hex', index * rowBytes + digestBytes, (index + 1) * rowBytes),
  };
}
