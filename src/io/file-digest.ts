import { open } from 'node:fs/promises';
import { createDigester, digestAlgorithm, type Digest } from '../oci/digest.ts';
import { limits } from './limits.ts';

/** Whether a file's bytes have a digest. What cannot be read has not. */
export async function hasDigest(path: string, digest: Digest): Promise<boolean> {
  try {
    const file = await open(path, 'r');
    try {
      const digester = createDigester(digestAlgorithm(digest));
      const buffer = Buffer.allocUnsafeSlow(limits.chunkBytes);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) return digester.digest() === digest;
        digester.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}
