import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bareEnvironment, program } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Packages, chunks of ours and Node's own parts that one run loads. */
async function loadedBy(...args: readonly string[]): Promise<{
  readonly packages: readonly string[];
  /** Files of it. */
  readonly undici: readonly string[];
  readonly chunks: readonly string[];
  readonly builtins: readonly string[];
}> {
  const folder = temporaryFolder();
  const record = folder.file('modules');
  await run(process.execPath, ['--import', join(import.meta.dirname, 'support/record-modules.js'), program, ...args], {
    cwd: folder.path,
    env: { ...bareEnvironment, RECORD_MODULES: record },
    allowFailure: true,
  });
  const urls = readFileSync(record, 'utf8').split('\n');
  folder.remove();
  return {
    packages: [...new Set(urls.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []))].sort(),
    undici: urls.flatMap((url) => /node_modules\/undici\/(.+)/.exec(url)?.[1] ?? []),
    chunks: [
      ...new Set(urls.flatMap((url) => /dist\/(?:chunks\/)?([^/]+?)(?:-[\w-]{8})?\.js$/.exec(url)?.[1] ?? [])),
    ].sort(),
    builtins: [...new Set(urls.filter((url) => url.startsWith('node:')))].sort(),
  };
}

it('--version loads nothing but the entry and what it needs to fail', async () => {
  const { packages, chunks, builtins } = await loadedBy('--version');
  expect(packages).toEqual([]);
  expect(chunks.filter((chunk) => !['main', 'errors', 'output', 'printable', 'exit-code'].includes(chunk))).toEqual([]);
  expect(
    builtins.filter((name) =>
      ['node:http', 'node:https', 'node:tls', 'node:crypto', 'node:worker_threads', 'node:zlib'].includes(name),
    ),
  ).toEqual([]);
});

it.each([
  { args: ['--help'], packages: ['commander'] },
  { args: ['list', fixturePath, '--include', 'base:*'], packages: ['commander', 'picomatch', 'pretty-bytes'] },
  { args: ['completion', 'bash'], packages: ['commander'] },
])('regtar $args loads $packages', async ({ args, packages }) => {
  expect((await loadedBy(...args)).packages.filter((name) => !packages.includes(name))).toEqual([]);
});

it('what reads a backup loads no HTTP, no settings and no archives that it does not meet', async () => {
  for (const command of ['inspect', 'verify']) {
    const { packages, builtins } = await loadedBy(command, fixturePath);
    expect(packages.filter((name) => ['undici', 'yaml', 'zstddec', 'fast-glob', 'valibot'].includes(name))).toEqual([]);
    expect(builtins).not.toContain('node:tls');
  }
});

it('what speaks to a server loads of undici what carries requests', async () => {
  const { undici } = await loadedBy('push', fixturePath, '127.0.0.1:9', '--retry-times', '0');
  expect(undici).toContain('lib/dispatcher/agent.js');
  expect(undici.filter((path) => /^index|\/(?:mock|cache|websocket|eventsource)\//.test(path))).toEqual([]);
});
