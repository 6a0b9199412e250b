import { expect, it } from 'vitest';
import { startWorker } from '../../src/io/start-worker.ts';

it('a thread that cannot be started says so as one that ends badly', async () => {
  const started = new Promise((resolve) => {
    const name = 1 as unknown as string;
    const worker = startWorker(() => undefined, name).on('error', resolve);
    worker.postMessage('hello');
    worker.unref();
  });
  expect(await started).toBeInstanceOf(TypeError);
  // Nobody waits for this one, and nothing ends for it.
  startWorker(() => undefined, 1 as unknown as string);
  await new Promise((resolve) => setImmediate(resolve));
});
