import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, it, type TestContext } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { headManifest } from '../../src/remote/manifests.ts';
import { openRegistry, type Registry, type RegistryOptions } from '../../src/remote/registry.ts';
import { uploadBlob } from '../../src/remote/upload.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { startRegistry, type Registry as StartedRegistry } from '../support/start-registry.ts';
import { errorOf } from './expect-error.ts';

let server: StartedRegistry;
beforeAll(async () => {
  server = await startRegistry();
});
afterAll(() => server.stop());

type Ending = TestContext['onTestFinished'];

async function open(host: string, onEnd: Ending, options: Partial<RegistryOptions> = {}): Promise<Registry> {
  const registry = await openRegistry({
    host,
    scheme: 'http',
    connections: 4,
    retry: { times: 3, delaySeconds: 0.02 },
    stallTimeoutSeconds: 0.6,
    ...options,
  });
  onEnd(() => registry.close());
  return registry;
}

async function throughProxy(
  onEnd: Ending,
  options: Partial<RegistryOptions> = {},
): Promise<{ readonly proxy: FaultProxy; readonly registry: Registry }> {
  const proxy = await startFaultProxy(server.url);
  onEnd(() => proxy.stop());
  return { proxy, registry: await open(proxy.host, onEnd, options) };
}

// Nearly all of their time is waiting, so they wait together.
describe.concurrent('an answer that takes its time', () => {
  it('one byte at a time, without an end, is given up', async ({ expect, onTestFinished }) => {
    const web = createServer((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      web.close();
      web.closeAllConnections();
    });
    const address = web.address();
    const host = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const registry = await open(host, onTestFinished, { retry: { times: 0 }, signal: AbortSignal.timeout(60_000) });
    expect((await errorOf(registry.ping())).code).toBe('TARGET_TIMEOUT');
  });

  it('in drops, without an end, is given up once, and not asked for again', async ({ expect, onTestFinished }) => {
    // Longer than a busy machine lets a drop wait: silence is asked again.
    const { proxy, registry } = await throughProxy(onTestFinished, { stallTimeoutSeconds: 2 });
    const bytes = randomBytes(300_000);
    const digest = digestOf(bytes);
    const direct = await open(server.host, onTestFinished);
    await uploadBlob(direct, 'f/drip', { digest, size: bytes.length }, async function* () {
      yield bytes;
    });
    proxy.add({ path: /blobs/, fault: { kind: 'trickle', bytes: 40, milliseconds: 20 } });
    const path = `/v2/f/drip/blobs/${digest}`;
    const asked = registry.request({ method: 'GET', path, doing: 'show a blob', repository: 'f/drip' });
    expect(await errorOf(asked)).toMatchObject({
      code: 'TARGET_TIMEOUT',
      message: expect.stringMatching(/a few bytes at a time: \d+ bytes in \d+ s; it is not asked again/) as string,
    });
    // Four were allowed; on a busy machine one of them may meet silence, which is asked again.
    expect(proxy.count({ path: /blobs/ })).toBeLessThan(4);
  });

  it('in silence is given up; bytes that trickle in are waited for', async ({ expect, onTestFinished }) => {
    const { proxy, registry } = await throughProxy(onTestFinished);
    proxy.add({ path: /manifests/, fault: { kind: 'stall', when: 'answer' } });
    expect(await errorOf(headManifest(registry, 'f/a', 'x'))).toMatchObject({
      code: 'TARGET_TIMEOUT',
      hint: expect.stringContaining('--stall-timeout') as string,
    });
    proxy.heal();
    proxy.add({ path: /manifests/, fault: { kind: 'trickle', bytes: 4, milliseconds: 100 } });
    await registry.request({
      method: 'GET',
      path: '/v2/f/a/manifests/unknown',
      doing: 'look',
      repository: 'f/a',
      accept: [404],
    });
  });

  it('because the bytes that are sent come slowly is not taken for silence', async ({ expect, onTestFinished }) => {
    const { proxy, registry } = await throughProxy(onTestFinished);
    const bytes = randomBytes(600_000);
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 300_000);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      yield bytes.subarray(300_000);
    };
    await uploadBlob(registry, 'f/slow', { digest: digestOf(bytes), size: bytes.length }, slow);
    expect(proxy.count({ method: 'PUT' })).toBe(1);
  });
});
