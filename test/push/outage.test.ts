import { connect } from 'node:net';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { startHarborDouble } from '../harbor/double/start.ts';
import { startProcess } from '../support/start-process.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { push, statuses } from './support/regtar.ts';

const folder = temporaryFolder();
const source = folder.file('backup');
const images = 40;
const store = buildStorage((s) => {
  for (let count = 0; count < images; count++)
    s.image(`team/app${count}`, 'v1', { layers: [`layer ${count} ${'x'.repeat(2000)}`] });
});

beforeAll(() => store.writeTo(source));
afterAll(() => folder.remove());

/** Waits for something to have happened in a server, without the time that it takes. */
async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 5));
}

// Nearly all of their time is waiting, so they wait together.
describe.concurrent('a Harbor whose database goes away', () => {
  it('for a moment is waited for: nothing is called a wrong password', async ({ expect, onTestFinished }) => {
    const harbor = await startHarborDouble();
    onTestFinished(() => harbor.stop());
    harbor.createProject('team');
    const pushing = push(source, harbor.host, { account: harbor.admin, args: ['--retry-delay', '0.4', '-j', '2'] });
    await until(() => harbor.requests.some(({ method, path }) => method === 'PUT' && path.includes('/manifests/')));
    harbor.setDatabaseDown(true);
    const down = harbor.requests.length;
    await until(() => harbor.requests.length >= down + 4);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    harbor.setDatabaseDown(false);
    const result = await pushing;
    expect(result.stderr).not.toContain('AUTH_');
    expect([result.code, statuses(result)]).toEqual([0, { copied: images }]);
  });

  it('for good is named as what it is', async ({ expect, onTestFinished }) => {
    const harbor = await startHarborDouble();
    onTestFinished(() => harbor.stop());
    harbor.createProject('team');
    const pushing = push(source, harbor.host, {
      account: harbor.admin,
      args: ['--retry-times', '2', '-j', '2'],
    });
    await until(() => harbor.requests.some(({ method, path }) => method === 'PUT' && path.includes('/manifests/')));
    harbor.setDatabaseDown(true);
    const result = await pushing;
    expect(result.code).not.toBe(0);
    expect(result.stderr).not.toContain('AUTH_');
    expect(result.stderr).toMatch(/TARGET_UNAVAILABLE: .*127\.0\.0\.1/);
    expect(result.stderr).toMatch(/ not tried/);
  });
});

describe.concurrent('a registry that goes away in the middle', () => {
  it('is named at once, with the attempt; all give up together, and the rest is not tried', async ({
    expect,
    onTestFinished,
  }) => {
    const registry = await startRegistry();
    onTestFinished(() => registry.stop());
    const proxy = await startFaultProxy(registry.url);
    const pushing = push(source, proxy.host, { args: ['--retry-times', '4', '--retry-delay', '0.5', '-j', '4'] });
    await until(() => proxy.requests.some(({ path, status }) => path.includes('/manifests/') && status === 201));
    await proxy.stop();
    const result = await pushing;
    expect(result.code).toBe(3);
    expect(result.stderr).toMatch(
      new RegExp(`no answer from http://${proxy.host}: .*; trying again, attempt [34] of 5`),
    );
    // However many requests failed at a time, a person reads each attempt once.
    expect(result.stderr.match(/attempt 5 of 5/g)).toHaveLength(1);
    const { failed = 0, copied = 0 } = statuses(result);
    const untried = result.report.images.filter((image) => 'untried' in image).length;
    expect(failed + copied).toBe(images);
    expect(untried).toBeGreaterThan(images / 2);
    expect(result.stderr).toContain(`${failed - untried} failed, ${untried} not tried`);
  });

  /** Its queue of connections is full and nobody takes one: the kernel drops what comes, and answers nothing. */
  it('without a word, every packet dropped, is named within seconds, attempt by attempt', async ({
    expect,
    onTestFinished,
  }) => {
    const idle =
      "require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},function(){console.log(this.address().port)})";
    const server = await startProcess(process.execPath, ['-e', idle], { ready: async (log) => /\d+\n/.test(log) });
    onTestFinished(() => {
      server.kill('SIGCONT');
      return server.stop();
    });
    server.kill('SIGSTOP');
    const port = Number(server.log());
    const fillers = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    onTestFinished(() => fillers.forEach((filler) => filler.destroy()));
    await until(() => fillers.filter(({ connecting }) => !connecting).length >= 2);
    const args = ['--stall-timeout', '4', '--plain-http'];
    const { code, stderr } = await push(source, `127.0.0.1:${port}`, { args });
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${port} has not moved a byte for \\d+ s, in attempt 1 of 3`));
    expect(stderr).toMatch(/(?:no answer from|moved no byte of) .*; trying again, attempt 2 of 3/);
    expect(stderr).toMatch(/TARGET_(?:UNREACHABLE|TIMEOUT): .*; given up after 3 attempts/);
  });

  it('is said to be silent long before it is given up', async ({ expect, onTestFinished }) => {
    const registry = await startRegistry();
    onTestFinished(() => registry.stop());
    const proxy = await startFaultProxy(registry.url, [
      { method: 'PUT', path: /manifests/, nth: 1, fault: { kind: 'stall', when: 'answer' } },
    ]);
    onTestFinished(() => proxy.stop());
    const result = await push(source, proxy.host, {
      args: ['--stall-timeout', '5', '-j', '1', '--include', 'team/app1'],
    });
    expect(result.stderr).toMatch(new RegExp(`${proxy.host} has not moved a byte for \\d+ s`));
    expect(result.code).toBe(0);
  });
});
