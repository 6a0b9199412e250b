import { RegtarError } from '../../errors.ts';
import type { Body } from '../../io/body.ts';
import { createRing } from '../../io/ring.ts';
import type { ServerWords } from '../../net/server-words.ts';
import { headerOf, type Answer } from '../../net/transport.ts';
import { describeBucket } from '../../s3/address.ts';
import type { Bucket } from '../../s3/bucket.ts';
import { createBucketCopier, type CopyLimits } from './bucket-copy.ts';
import { beginMultipart, sha256Of } from './bucket-upload.ts';
import type { Place, PlacedFile, PutOptions } from './place.ts';

/** What failures of a bucket are called that is written. */
export const bucketWords: ServerWords = {
  noun: 'server',
  codes: {
    unreachable: 'OUTPUT_UNWRITABLE',
    tls: 'OUTPUT_UNWRITABLE',
    timeout: 'OUTPUT_UNWRITABLE',
    refused: 'OUTPUT_UNWRITABLE',
  },
  options: {
    caFile: 'AWS_CA_BUNDLE',
    clientCertificate: undefined,
    insecure: undefined,
    plainHttp: '--plain-http',
    stallTimeout: '--stall-timeout',
  },
};

/**
 * A part of an upload: sent once it is whole and hashed, so that the server can check it. S3 takes none below 5 MiB but
 * the last.
 */
const partBytes = 8 * 1024 * 1024;
/** S3 takes 10,000. */
const mostParts = 9_000;

/**
 * A place that is a bucket, or what lies beneath a prefix of one. Objects appear whole: small ones by one PUT, larger
 * ones when all parts of their upload are there. Each request carries the SHA-256 of its bytes, which the server
 * checks. Objects of the same server are copied there.
 */
export function openBucketPlace(bucket: Bucket, limits: CopyLimits = {}): Place {
  const { bucket: name, key: prefix } = bucket.address;
  const describe = describeBucket(bucket.address);
  const made = new Map<string, string>();
  const copier = createBucketCopier(bucket, limits);
  const keyOf = (path: string): string => (prefix === '' ? path : `${prefix}/${path}`);

  const stat = async (path: string): Promise<PlacedFile | undefined> => {
    const answer = await bucket.request({ method: 'HEAD', key: keyOf(path) }, [404]);
    if (answer.status === 404) return undefined;
    return { size: Number(headerOf(answer, 'content-length') ?? '0'), version: versionOf(answer) };
  };
  const putWhole = async (path: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> => {
    const sha256 = sha256Of(bytes);
    noteMade(path, await bucket.request({ method: 'PUT', key: keyOf(path), body: bytes, sha256, signal }));
  };
  const noteMade = (path: string, answer: Answer): void => void made.set(path, headerOf(answer, 'etag') ?? '');

  const putBody = async (path: string, body: Body, options: PutOptions): Promise<void> => {
    const { size = 0, signal, onBytes } = options;
    const parts = inParts(body, Math.max(partBytes, Math.ceil(size / mostParts)));
    const first = await parts.next();
    const second = first.done === true ? first : await parts.next();
    if (second.done === true) {
      const bytes = first.done === true ? new Uint8Array() : first.value;
      await putWhole(path, bytes, signal);
      onBytes?.(bytes.length);
      return;
    }
    const upload = await beginMultipart(bucket, keyOf(path), signal);
    const send = async (bytes: Uint8Array): Promise<void> => {
      await upload.send(bytes);
      onBytes?.(bytes.length);
    };
    try {
      if (first.done !== true) await send(first.value);
      await send(second.value);
      for await (const part of parts) await send(part);
      made.set(path, (await upload.complete()) ?? (await stat(path))?.version.split(' ')[0] ?? '');
    } catch (error) {
      await upload.abort();
      throw error;
    }
  };

  return {
    describe,
    stat,
    async *read(path, ring = createRing()) {
      const answer = await bucket.stream({ method: 'GET', key: keyOf(path) });
      if (answer.status !== 200) {
        answer.close();
        throw new RegtarError('OUTPUT_UNWRITABLE', `${describe}/${path} cannot be read (${answer.status})`, {
          where: { path },
        });
      }
      try {
        for await (const piece of answer.body) {
          for (let at = 0; at < piece.length;) {
            const buffer = ring.take(piece.length - at);
            buffer.set(piece.subarray(at, at + buffer.length));
            at += buffer.length;
            yield buffer;
          }
        }
      } finally {
        answer.close();
      }
    },
    async *list(folder) {
      const beneath = folder === '' ? keyOf('') : `${keyOf(folder)}/`;
      for (let next: string | undefined, isFirst = true; isFirst || next !== undefined; isFirst = false) {
        const page = await bucket.list(beneath, { next });
        for (const { key, size, etag, modified } of page.objects)
          yield { path: prefix === '' ? key : key.slice(prefix.length + 1), size, version: `"${etag}" ${modified}` };
        next = page.next;
      }
    },
    async put(path, content, options = {}) {
      const isLookedFor = options.replace !== true && options.isAbsent !== true;
      if (isLookedFor && (await stat(path)) !== undefined) return 'present';
      if (content instanceof Uint8Array) {
        await putWhole(path, content, options.signal);
        options.onBytes?.(content.length);
      } else await putBody(path, content(), options);
      return 'written';
    },
    link: () => Promise.resolve(false),
    async copy(path, object, { signal } = {}) {
      const etag = await copier.copy(keyOf(path), object, signal);
      if (etag !== undefined) made.set(path, etag);
      return etag !== undefined;
    },
    notes: () => copier.notes(),
    async takeBack() {
      let removed = 0;
      for (const [path, etag] of made) {
        const now = await stat(path);
        if (now?.version.split(' ')[0] !== etag) continue;
        await bucket.request({ method: 'DELETE', key: keyOf(path) });
        removed++;
      }
      made.clear();
      return removed;
    },
    settle: () => made.clear(),
    close: () => bucket.close(),
  };

  function versionOf(answer: Answer): string {
    return `${headerOf(answer, 'etag') ?? name} ${headerOf(answer, 'last-modified') ?? ''}`;
  }
}

/** Cuts a body into parts of one size; each is valid until the next is asked for twice. The last may be shorter. */
async function* inParts(body: Body, size: number): AsyncGenerator<Uint8Array, undefined> {
  let part = Buffer.allocUnsafeSlow(size);
  let filled = 0;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + size - filled);
      part.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < size) continue;
      yield part;
      part = Buffer.allocUnsafeSlow(size);
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
  return undefined;
}
