import { RegtarError } from '../../errors.ts';
import { readAnswer } from '../../net/transport.ts';
import { describeBucket, parseBucketAddress } from '../../s3/address.ts';
import { openBucket, type Bucket } from '../../s3/bucket.ts';
import type { FarAccess } from '../far/access.ts';
import type { ObjectServer } from '../far/far-object.ts';
import { sourceWords } from '../far/source-words.ts';

/** The bucket that holds SOURCE. @throws RegtarError USAGE, CREDENTIALS_INVALID, CONFIG_INVALID */
export function openSourceBucket(operand: string, access: FarAccess, signal: AbortSignal | undefined): Bucket {
  return openBucket(parseBucketAddress(operand), {
    ...access,
    words: sourceWords,
    codes: { missing: 'SOURCE_NOT_FOUND', denied: 'SOURCE_DENIED', refused: 'SOURCE_UNREADABLE' },
    endpoint: access.s3Endpoint,
    signal,
  });
}

/** One object of a bucket. */
export function bucketObject(bucket: Bucket, key: string): ObjectServer {
  return {
    describe: describeBucket({ bucket: bucket.address.bucket, key }),
    stored: { server: bucket.server, bucket: bucket.address.bucket, key },
    direct: (headers) => bucket.direct({ method: 'GET', key, headers }),
    get: (headers, signal) => bucket.stream({ method: 'GET', key, headers, signal }),
    refusal: async (answer) => bucket.refusal(await readAnswer(answer, sourceWords), key),
    explain: (error) => bucket.explain(error),
    backoff: () => bucket.backoff(),
    close: () => bucket.close(),
  };
}

/**
 * Whether the address names an object, not what many objects begin with.
 * @throws RegtarError SOURCE_DENIED, SOURCE_UNREACHABLE
 */
export async function isObject(bucket: Bucket, signal: AbortSignal | undefined): Promise<boolean> {
  const { key } = bucket.address;
  if (key === '') return false;
  // Accounts that may not list get 403 for what is not there.
  const answer = await bucket.request({ method: 'HEAD', key, signal }, [403, 404]);
  return answer.status === 200 && answer.headers['content-length'] !== '0';
}

/** Of a prefix beneath which no registry's tree lies. */
export async function nothingThere(bucket: Bucket, signal: AbortSignal | undefined): Promise<RegtarError> {
  const { key } = bucket.address;
  const describe = describeBucket(bucket.address);
  const fail = (message: string, hint: string): RegtarError =>
    new RegtarError('SOURCE_NOT_REGISTRY', message, { where: { path: describe }, hint });
  const prefix = key === '' ? '' : `${key}/`;
  if ((await bucket.list(`${prefix}oci-layout`, { most: 1, signal })).objects.length > 0)
    return fail(
      `${describe} holds an OCI layout in single objects, and only a registry's storage is read so`,
      'pack it: one object that is a tar of the layout is read by ranges',
    );
  return fail(
    `${describe} holds no registry's storage and is not an object itself`,
    "name a tar, or the bucket with the rootdirectory of the registry's s3 driver, which holds docker/registry/v2",
  );
}
