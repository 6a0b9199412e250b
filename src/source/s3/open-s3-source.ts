import { RegtarError } from '../../errors.ts';
import type { SingleSource } from '../opened-source.ts';
import type { ObjectServer } from '../far/far-object.ts';
import type { OpenSourceOptions } from '../options.ts';
import { openBucketStorage } from './bucket-storage.ts';
import { findRoot } from './list-storage.ts';
import { bucketObject, isObject, nothingThere, openSourceBucket } from './open-s3.ts';

/**
 * Opens `s3://bucket/docker.tar` as a tar, and `s3://bucket/prefix` as a registry's storage.
 * @param openServed opens the object, where it is one
 * @throws RegtarError SOURCE_NOT_FOUND, SOURCE_NOT_REGISTRY, SOURCE_DENIED, SOURCE_UNREACHABLE
 */
export async function openS3Source(
  operand: string,
  options: OpenSourceOptions,
  openServed: (server: ObjectServer, options: OpenSourceOptions) => Promise<SingleSource>,
): Promise<SingleSource> {
  const { signal } = options;
  const bucket = openSourceBucket(operand, options.far ?? {}, signal);
  try {
    const { key } = bucket.address;
    if (await isObject(bucket, signal)) return await openServed(bucketObject(bucket, key), options);
    const root = await findRoot(bucket, key === '' ? '' : `${key}/`, signal);
    if (root === undefined) throw await nothingThere(bucket, signal);
    if (options.indexFile !== undefined || options.recordIndex === true)
      throw new RegtarError('USAGE', `${operand.replace(/\?.*$/s, '')}, a bucket, needs no index`, {
        hint: 'leave the index out: a listing says what there is',
      });
    return openBucketStorage(bucket, root, { trustLinks: options.trustLinks ?? false });
  } catch (error) {
    await bucket.close();
    throw error;
  }
}
