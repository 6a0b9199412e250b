import { RegtarError } from '../errors.ts';
import type { Place } from '../formats/registry/place.ts';
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
    words: bucketWords,
    codes: { missing: 'OUTPUT_UNWRITABLE', denied: 'OUTPUT_UNWRITABLE', refused: 'OUTPUT_UNWRITABLE' },
    endpoint: access.s3Endpoint,
    signal: context.signal,
  });
  for (const source of sources.filter(isBucketOutput)) {
    const other = openSourceBucket(source, access, context.signal);
    await other.close();
    if (other.endpoint !== bucket.endpoint || other.address.bucket !== bucket.address.bucket) continue;
    const [ours, theirs] = [bucket.address.key, other.address.key].map((key) => (key === '' ? '' : `${key}/`));
    if (!ours?.startsWith(theirs ?? '') && !theirs?.startsWith(ours ?? '')) continue;
    throw new RegtarError(
      'OUTPUT_IS_SOURCE',
      `${name} ${describeBucket(bucket.address)} and ${describeBucket(other.address)}, which is read, are one ` +
        'place or one in the other',
      { hint: 'choose another prefix or bucket: what is read is never written to' },
    );
  }
  return openBucketPlace(bucket);
}
