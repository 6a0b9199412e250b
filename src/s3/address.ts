import { RegtarError } from '../errors.ts';

/** What `s3://bucket/key?endpoint=…&region=…` says. */
export interface BucketAddress {
  readonly bucket: string;
  /** Without a leading or trailing `/`; empty for the whole bucket. */
  readonly key: string;
  /** Of a server other than AWS. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
}

/** Whether an operand names objects of an S3 server. */
export function isBucketAddress(operand: string): boolean {
  return /^s3:\/\//i.test(operand);
}

/** @throws RegtarError USAGE */
export function parseBucketAddress(operand: string): BucketAddress {
  const match = /^s3:\/\/([^/?#]*)\/?([^?#]*)(?:\?([^#]*))?$/i.exec(operand);
  const [, bucket = '', key = '', query = ''] = match ?? [];
  const wrong = (message: string): RegtarError =>
    new RegtarError('USAGE', message, { hint: 'write s3://BUCKET/PREFIX or s3://BUCKET/docker.tar' });
  if (!/^[a-z0-9][a-z0-9._-]{1,62}$/i.test(bucket)) throw wrong(`s3://${shown(bucket)} does not name a bucket`);
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (name !== 'endpoint' && name !== 'region')
      throw wrong(`s3://${bucket} takes endpoint and region, not ${shown(name)}`);
  const plain = key.replace(/^\/+|\/+$/g, '');
  if (plain.split('/').some((part) => part === '.' || part === '..'))
    throw wrong(`s3://${bucket}: a key has no . and ..`);
  return {
    bucket,
    key: plain,
    endpoint: parameters.get('endpoint') ?? undefined,
    region: parameters.get('region') ?? undefined,
  };
}

/** As it may be shown. */
export function describeBucket({ bucket, key }: Pick<BucketAddress, 'bucket' | 'key'>): string {
  return key === '' ? `s3://${bucket}` : `s3://${bucket}/${key}`;
}

/** A secret may have been typed in the wrong place. */
function shown(text: string): string {
  return text
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .replace(/^.*@/, '')
    .slice(0, 80);
}
