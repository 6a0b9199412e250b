/** Keys of blobs by number: the 32 bytes of their digest, where the key says no more. */
export interface KeyTable {
  add(key: string): number;
  keyOf(index: number): string;
}

const rowBytes = 32;
const blob = /^blobs\/sha256\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\/data$/;

/** @param root what all keys begin with */
export function createKeyTable(root: string): KeyTable {
  let rows = Buffer.alloc(1024 * rowBytes);
  let count = 0;
  const others = new Map<number, string>();
  return {
    add(key) {
      const hex = blob.exec(key.slice(root.length))?.[2];
      if ((count + 1) * rowBytes > rows.length) rows = Buffer.concat([rows, Buffer.alloc(rows.length)]);
      if (hex === undefined) others.set(count, key);
      else rows.write(hex, count * rowBytes, 'hex');
      return count++;
    },
    keyOf(index) {
      const other = others.get(index);
      if (other !== undefined) return other;
      const hex = rows.toString('hex', index * rowBytes, (index + 1) * rowBytes);
      return `${root}blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
    },
  };
}
