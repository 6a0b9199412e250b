import { RegtarError } from '../errors.ts';
import type { Place } from '../formats/registry/place.ts';
import type { Bucket } from '../s3/bucket.ts';
import type { Context } from './context.ts';
import { farAccess, type FarOptions } from './far-access.ts';

/** Whether an output names objects of an S3 server. */
export function isBucketOutput(operand: string): boolean {
  return /^s3:\/\//i.test(operand);
}

/**
 * Opens a bucket to be written; nothing is written by that.
 * @param name as the person knows it: `OUT`, `--storage`
 * @throws RegtarError USAGE, CREDENTIALS_INVALID, CONFIG_INVALID; OUTPUT_IS_SOURCE where a SOURCE is the same place,
 * lies in it or holds it
 */
export async function openBucketOutput(
  operand: string,
  name: string,
  sources: readonly string[],
  options: FarOptions,
  context: Context,
): Promise<Place> {
  const [
    { parseBucketAddress, describeBucket },
    { openBucket },
    { bucketWords, openBucketPlace },
    { openSourceBucket },
  ] = await Promise.all([
    import('../s3/address.ts'),
    import('../s3/bucket.ts'),
    import('../formats/registry/bucket-place.ts'),
    import('../source/s3/open-s3.ts'),
  ]);
  const access = farAccess(options, context);
  const bucket = openBucket(parseBucketAddress(operand), {
    ...access,
    // --source-ca-file is for SOURCE; further authorities come from AWS_CA_BUNDLE.
    caFile: undefined,
    words: bucketWords,
    codes: { missing: 'OUTPUT_UNWRITABLE', denied: 'OUTPUT_UNWRITABLE', refused: 'OUTPUT_UNWRITABLE' },
    endpoint: access.s3Endpoint,
    signal: context.signal,
  });
  for (const source of sources.filter(isBucketOutput)) {
    const other = openSourceBucket(source, access, context.signal);
    try {
      if (!isOverlapping(bucket, other) || !(await isOneServer(bucket, other, context.signal))) continue;
    } finally {
      await other.close();
    }
    await bucket.close();
    throw new RegtarError(
      'OUTPUT_IS_SOURCE',
      `${name} ${describeBucket(bucket.address)} and ${describeBucket(other.address)}, which is read, are the ` +
        'same place, or one lies inside the other',
      { hint: 'choose another prefix or bucket: what is read is never written to' },
    );
  }
  return openBucketPlace(bucket);
}

/** By names alone: one bucket, and one prefix in the other. */
function isOverlapping(bucket: Bucket, other: Bucket): boolean {
  if (other.address.bucket !== bucket.address.bucket) return false;
  const [ours = '', theirs = ''] = [bucket.address.key, other.address.key].map((key) => (key === '' ? '' : `${key}/`));
  return ours.startsWith(theirs) || theirs.startsWith(ours);
}

/**
 * Whether two buckets of one name are one. Servers have several names (`localhost`, an address, an alias), so an object
 * of SOURCE is looked for on the other side: the same key with the same ETag and the same time is the same object.
 */
async function isOneServer(bucket: Bucket, other: Bucket, signal: AbortSignal): Promise<boolean> {
  if (bucket.server === other.server) return true;
  const [object] = (await other.list(other.address.key, { most: 1, signal })).objects;
  if (object === undefined) return false;
  const [twin] = await bucket.list(object.key, { most: 1, signal }).then(
    ({ objects }) => objects,
    // What may not be listed, or is not there, is told by what writes to it.
    () => [],
  );
  return twin?.key === object.key && twin.etag === object.etag && twin.modified === object.modified;
}
