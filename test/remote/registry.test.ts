import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { bodyOf, type Body } from '../../src/io/body.ts';
import { verifiedBody } from '../../src/io/verified-body.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { beginUpload, headBlob, mountBlob, type UploadSession } from '../../src/remote/blobs.ts';
import { hasRepository, listRepositories } from '../../src/remote/lists.ts';
import { getManifest, headManifest, putManifest } from '../../src/remote/manifests.ts';
import { addReferrer, listReferrers, referrersTag } from '../../src/remote/referrers.ts';
import { openRegistry, type Registry } from '../../src/remote/registry.ts';
import { uploadBlob } from '../../src/remote/upload.ts';
import { errorOf } from './expect-error.ts';
import { ringBody } from './ring-body.ts';
import { startRegistry, type Registry as StartedRegistry } from '../support/start-registry.ts';
import { manifestOf } from './manifest-of.ts';

let server: StartedRegistry;
let registry: Registry;
const requests: string[] = [];

beforeAll(async () => {
  server = await startRegistry({ delete: true });
  registry = await openRegistry({
    host: server.host,
    connections: 4,
    onRequest: ({ method, status }) => void requests.push(`${method} ${status}`),
  });
});
afterAll(async () => {
  await registry.close();
  await server.stop();
});

async function stored(repository: string, digest: Digest): Promise<Digest> {
  const response = await fetch(`${server.url}/v2/${repository}/blobs/${digest}`);
  return digestOf(new Uint8Array(await response.arrayBuffer()));
}

describe('a plain registry on loopback', () => {
  it('is found to speak http by itself, without authentication', async () => {
    expect(await registry.ping()).toMatchObject({ authentication: 'none', status: 200 });
    expect(registry.describe()).toBe(server.url);
  });

  it('takes a small blob with one POST and one PUT', async () => {
    const bytes = randomBytes(1000);
    const digest = digestOf(bytes);
    requests.length = 0;
    await uploadBlob(registry, 'lib/small', { digest, size: bytes.length }, () => bodyOf(bytes));
    expect(requests).toEqual(['POST 202', 'PUT 201']);
    expect(await headBlob(registry, 'lib/small', digest)).toEqual({ size: 1000 });
  });

  it('takes the empty blob', async () => {
    const digest = digestOf(new Uint8Array());
    await uploadBlob(registry, 'lib/empty', { digest, size: 0 }, () => bodyOf());
    expect(await headBlob(registry, 'lib/empty', digest)).toEqual({ size: 0 });
  });

  it.each([
    [300_000, 1024],
    [5_000_000, 10_240],
    [8_000_000, 65_536],
    [9_000_001, 262_144],
    [20_000_003, 1_048_576],
  ])('gets the right %i bytes from a producer that reuses buffers of %i bytes', async (size, chunkBytes) => {
    const bytes = randomBytes(size);
    const digest = digestOf(bytes);
    let counted = 0;
    await uploadBlob(
      registry,
      'lib/ring',
      { digest, size },
      () => verifiedBody(ringBody(bytes, chunkBytes), { digest, size }),
      { onBytes: (count) => (counted += count) },
    );
    expect(await stored('lib/ring', digest)).toBe(digest);
    expect(counted).toBe(size);
  });

  it('takes a blob in chunks, reading the body once', async () => {
    const bytes = randomBytes(3_500_000);
    const digest = digestOf(bytes);
    let opened = 0;
    let offset = 0;
    requests.length = 0;
    const open = (): Body => {
      opened++;
      return verifiedBody(ringBody(bytes, 262_144), { digest, size: bytes.length });
    };
    await uploadBlob(registry, 'lib/chunks', { digest, size: bytes.length }, open, {
      chunkBytes: 1_000_000,
      journal: { save: (session) => void (offset = session.offset), forget: () => undefined },
    });
    expect(requests).toEqual(['POST 202', 'PATCH 202', 'PATCH 202', 'PATCH 202', 'PUT 201']);
    expect({ opened, offset }).toEqual({ opened: 1, offset: 3_000_000 });
    expect(await stored('lib/chunks', digest)).toBe(digest);
  });

  it('continues an upload of an earlier run where its journal says', async () => {
    const bytes = randomBytes(3_000_000);
    const digest = digestOf(bytes);
    const interruption = new AbortController();
    let saved: UploadSession | undefined;
    const first = uploadBlob(
      registry,
      'lib/resume',
      { digest, size: bytes.length },
      (from = 0) => bodyOf(bytes.subarray(from)),
      {
        chunkBytes: 1_000_000,
        signal: interruption.signal,
        journal: {
          save: (session) => {
            saved = session;
            if (session.offset >= 2_000_000) interruption.abort();
          },
          forget: () => void (saved = undefined),
        },
      },
    );
    await expect(first).rejects.toThrow();
    expect(saved).toMatchObject({ offset: 2_000_000 });
    let sent = 0;
    const from: (number | undefined)[] = [];
    const open = (start?: number): Body => {
      from.push(start);
      return (async function* () {
        for await (const chunk of bodyOf(bytes.subarray(start ?? 0))) {
          sent += chunk.length;
          yield chunk;
        }
      })();
    };
    await uploadBlob(registry, 'lib/resume', { digest, size: bytes.length }, open, {
      chunkBytes: 1_000_000,
      session: saved,
    });
    expect({ from, sent }).toEqual({ from: [2_000_000], sent: 1_000_000 });
    expect(await stored('lib/resume', digest)).toBe(digest);
  });

  it('begins anew when a journal’s session is gone', async () => {
    const bytes = randomBytes(600_000);
    const digest = digestOf(bytes);
    const session = { ...(await beginUpload(registry, 'lib/gone', digest)), offset: 300_000 };
    await registry.request({
      method: 'DELETE',
      path: new URL(session.location),
      doing: 'cancel',
      repository: 'lib/gone',
    });
    await uploadBlob(registry, 'lib/gone', { digest, size: bytes.length }, (from = 0) => bodyOf(bytes.subarray(from)), {
      session,
    });
    expect(await stored('lib/gone', digest)).toBe(digest);
  });

  it('mounts what another repository has, and begins an upload for what it has not', async () => {
    const bytes = randomBytes(1000);
    const digest = digestOf(bytes);
    await uploadBlob(registry, 'lib/from', { digest, size: 1000 }, () => bodyOf(bytes));
    expect(await mountBlob(registry, 'lib/to', digest, 'lib/from')).toBe('mounted');
    const other = randomBytes(1000);
    const session = await mountBlob(registry, 'lib/to', digestOf(other), 'lib/from');
    if (typeof session === 'string') return expect.fail(session);
    requests.length = 0;
    await uploadBlob(registry, 'lib/to', { digest: digestOf(other), size: 1000 }, () => bodyOf(other), { session });
    expect(requests).toEqual(['PUT 201']);
  });

  it.each([1000, 900_000])('commits nothing of a body of %i bytes that turns out to be damaged', async (size) => {
    const bytes = randomBytes(size);
    const digest = digestOf(bytes);
    const damaged = Buffer.from(bytes);
    damaged[size - 1] = (damaged[size - 1] ?? 0) ^ 1;
    const error = await errorOf(
      uploadBlob(registry, 'lib/damaged', { digest, size }, () =>
        verifiedBody(ringBody(damaged, 65_536), { digest, size }),
      ),
    );
    expect(error.code).toBe('BLOB_CORRUPT');
    expect(await headBlob(registry, 'lib/damaged', digest)).toBeUndefined();
  });

  it('says that a body is too short', async () => {
    const error = await errorOf(
      uploadBlob(registry, 'lib/short', { digest: digestOf(randomBytes(3)), size: 500_000 }, () =>
        bodyOf(randomBytes(400_000)),
      ),
    );
    expect(error).toMatchObject({ code: 'BLOB_CORRUPT', side: 'source' });
  });

  it('passes on what a body throws', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield randomBytes(400_000);
      await Promise.resolve();
      throw new Error('disk on fire');
    };
    await expect(
      uploadBlob(registry, 'lib/broken', { digest: digestOf(randomBytes(3)), size: 500_000 }, broken),
    ).rejects.toThrow('disk on fire');
  });

  it('pushes, shows and lists manifests', async () => {
    const config = Buffer.from('{}');
    await uploadBlob(registry, 'lib/app', { digest: digestOf(config), size: 2 }, () => bodyOf(config));
    const manifest = manifestOf(config);
    for (const tag of ['a', 'b'])
      expect(await putManifest(registry, 'lib/app', tag, mediaTypes.ociManifest, manifest)).toEqual({
        digest: digestOf(manifest),
      });
    expect(await headManifest(registry, 'lib/app', 'a')).toEqual({
      digest: digestOf(manifest),
      mediaType: mediaTypes.ociManifest,
      size: manifest.length,
    });
    expect(
      Buffer.from((await getManifest(registry, 'lib/app', digestOf(manifest)))?.bytes ?? []).equals(manifest),
    ).toBe(true);
    expect(await hasRepository(registry, 'lib/app')).toBe(true);
    expect(await hasRepository(registry, 'lib/none')).toBe(false);
    expect(await listRepositories(registry)).toContain('lib/app');
  });

  it('says which children a refused manifest lacks', async () => {
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { mediaType: mediaTypes.ociConfig, digest: digestOf(randomBytes(4)), size: 4 },
        layers: [],
      }),
    );
    const error = await errorOf(putManifest(registry, 'lib/app', 'lacking', mediaTypes.ociManifest, manifest));
    expect(error).toMatchObject({
      code: 'CHILD_MISSING',
      where: { repository: 'lib/app', tag: 'lacking', status: 400 },
    });
    expect(error.message).toContain('blob unknown');
  });

  it('keeps referrers under the fallback tag, several writers at once losing none', async () => {
    const subject = digestOf(randomBytes(4));
    const config = Buffer.from('{}');
    await uploadBlob(registry, 'lib/refs', { digest: digestOf(config), size: 2 }, () => bodyOf(config));
    const digests: Digest[] = [];
    for (let count = 0; count < 4; count++) {
      const manifest = manifestOf(config, { annotations: { count: String(count) } });
      const { digest, subject: kept } = await putManifest(
        registry,
        'lib/refs',
        digestOf(manifest),
        mediaTypes.ociManifest,
        manifest,
      );
      expect(kept).toBeUndefined();
      digests.push(digest);
    }
    await Promise.all(
      [...digests, ...digests].map((digest) =>
        addReferrer(registry, 'lib/refs', subject, {
          mediaType: mediaTypes.ociManifest,
          digest,
          size: 1,
          artifactType: 'text/x',
        }),
      ),
    );
    expect((await listReferrers(registry, 'lib/refs', subject)).map(({ digest }) => digest).sort()).toEqual(
      digests.sort(),
    );
    expect((await headManifest(registry, 'lib/refs', referrersTag(subject)))?.mediaType).toBe(mediaTypes.ociIndex);
  });

  it('is asked by many at a time with one signal, without a warning of a leak', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    onTestFinished(() => void process.off('warning', listen));
    const { signal } = new AbortController();
    const asked = Array.from({ length: 20 }, (_, tag) => headManifest(registry, 'lib/many', `${tag}`, { signal }));
    await Promise.all(asked);
    expect(warnings).toEqual([]);
  });

  it('ends at once when it is interrupted', async () => {
    const interruption = new AbortController();
    interruption.abort();
    await expect(headManifest(registry, 'lib/app', 'a', { signal: interruption.signal })).rejects.toThrow(/abort/i);
  });
});

it('is told from a web server', async () => {
  const { createServer } = await import('node:http');
  const web = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>'),
  );
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const address = web.address();
  const other = await openRegistry({ host: `127.0.0.1:${typeof address === 'object' ? address?.port : ''}` });
  expect((await errorOf(other.ping())).code).toBe('TARGET_NOT_REGISTRY');
  await other.close();
  web.close();
});
