import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { blobPath } from '../../../src/formats/registry/layout.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { regtar } from '../../e2e/support/regtar.ts';
import { startHarborDouble } from '../../harbor/double/start.ts';
import { expected, fixturePath } from '../../support/fixture.ts';
import { answers, startFaultProxy, type FaultRule } from '../../support/fault-proxy.ts';
import type { RunResult } from '../../support/run.ts';
import { startRegistry } from '../../support/start-registry.ts';
import type { ErrorCase } from './case.ts';

/** Pushes a few images to a real registry, in front of which something goes wrong. */
async function pushThrough(rules: readonly FaultRule[], ...args: string[]): Promise<RunResult> {
  const registry = await startRegistry();
  const proxy = await startFaultProxy(registry.url, rules);
  try {
    return await regtar(
      ['push', fixturePath, proxy.host, '--include', 'tools/hello:1.0', '--retry-times', '0', ...args],
      { timeoutSeconds: 30 },
    );
  } finally {
    await proxy.stop();
    await registry.stop();
  }
}

const denied = {
  kind: 'answer',
  status: 403,
  headers: { 'Content-Type': 'application/json' },
  body: '{"errors":[{"code":"DENIED","message":"no"}]}',
} as const;

/** Pushes into a storage that something is wrong with; `storage` is the registry's own unless the arguments name another. */
async function pushInto(prepare: (storage: string) => void, ...args: string[]): Promise<RunResult> {
  const registry = await startRegistry();
  try {
    mkdirSync(registry.storage, { recursive: true });
    prepare(registry.storage);
    const storage = args.includes('--storage') || args.includes('--in-place') ? [] : ['--storage', registry.storage];
    return await regtar(
      ['push', fixturePath, registry.host, '--include', 'tools/hello:1.0', '--no-referrers', ...storage, ...args],
      { timeoutSeconds: 30 },
    );
  } finally {
    await registry.stop();
  }
}

/** What registries and what stands in front of them refuse. */
export const registries: readonly ErrorCase[] = [
  {
    code: 'TARGET_UNREACHABLE',
    title: 'nobody there',
    exit: 1,
    says: /127\.0\.0\.1:1/,
    hint: /check host and port/,
    provoke: async () => regtar(['push', fixturePath, '127.0.0.1:1', '--retry-times', '0']),
  },
  {
    code: 'TARGET_NOT_REGISTRY',
    title: 'a web page',
    exit: 1,
    says: /127\.0\.0\.1/,
    hint: /./,
    provoke: async () => {
      const server = createServer((_request, response) =>
        response.setHeader('Content-Type', 'text/html').end('<html>welcome</html>'),
      ).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const result = await regtar([
        'push',
        fixturePath,
        `127.0.0.1:${(server.address() as AddressInfo).port}`,
        '--retry-times',
        '0',
      ]);
      server.close();
      return result;
    },
  },
  {
    code: 'TARGET_TIMEOUT',
    title: 'silence',
    exit: 1,
    says: /./,
    hint: /./,
    provoke: async () =>
      pushThrough(
        [{ method: 'PUT', path: /manifests/, fault: { kind: 'stall', when: 'answer', milliseconds: 4000 } }],
        '--stall-timeout',
        '0.5',
      ),
  },
  {
    code: 'TARGET_UNAVAILABLE',
    title: 'a registry in trouble',
    exit: 1,
    says: /503/,
    hint: /./,
    provoke: async () => pushThrough([{ fault: answers.unavailable }]),
  },
  {
    code: 'TARGET_REFUSED',
    title: 'an answer that no registry gives',
    exit: 1,
    says: /418/,
    hint: /./,
    provoke: async () =>
      pushThrough([
        { method: 'PUT', path: /manifests/, fault: { kind: 'answer', status: 418, body: 'I am a teapot' } },
      ]),
  },
  {
    code: 'TARGET_DIFFERS',
    title: 'a registry that stored something else',
    exit: 1,
    says: /tools\/hello/,
    hint: /./,
    provoke: async () =>
      pushThrough([
        {
          method: 'PUT',
          path: /manifests/,
          fault: {
            kind: 'answer',
            status: 201,
            headers: { 'Docker-Content-Digest': `sha256:${'0'.repeat(64)}`, Location: '/v2/x' },
          },
        },
      ]),
  },
  {
    code: 'TARGET_BLOB_MISSING',
    title: 'a registry that was said to have all layers',
    exit: 1,
    says: /does not know sha256:/,
    hint: /./,
    provoke: async () => pushInto(() => undefined, '--in-place'),
  },
  {
    code: 'TARGET_BLOB_DAMAGED',
    title: 'a short layer in the storage of the registry',
    exit: 1,
    says: /is damaged: it has 5 bytes instead of/,
    hint: /--repair with --storage/,
    provoke: async () =>
      pushInto((storage) => {
        for (const { digest } of expected.blobs) {
          const file = join(storage, blobPath(parseDigest(digest)));
          mkdirSync(dirname(file), { recursive: true });
          writeFileSync(file, 'short');
        }
      }),
  },
  {
    code: 'STORAGE_FOREIGN',
    title: 'a folder that no registry serves',
    exit: 2,
    says: /is not the storage of a docker-registry or Harbor/,
    hint: /leave --storage out/,
    provoke: async (folder) => {
      writeFileSync(folder.file('holiday.jpg'), '');
      return pushInto(() => undefined, '--storage', folder.path);
    },
  },
  {
    code: 'STORAGE_NOT_TARGET',
    title: 'the storage of another registry',
    exit: 2,
    says: /is not the storage that 127\.0\.0\.1:\d+ serves/,
    hint: /rootdirectory/,
    provoke: async (folder) => pushInto(() => undefined, '--storage', folder.path),
  },
  {
    code: 'GC_RUNNING',
    title: 'a Harbor that collects garbage',
    exit: 1,
    says: /garbage collection is running/,
    hint: /wait until it has ended/,
    provoke: async () => {
      const harbor = await startHarborDouble();
      try {
        harbor.settings.collecting = true;
        mkdirSync(harbor.registryStorage, { recursive: true });
        const { username, password } = harbor.admin;
        return await regtar(['push', fixturePath, harbor.host, '--project', 'p', '--storage', harbor.registryStorage], {
          timeoutSeconds: 30,
          env: { REGTAR_USERNAME: username, REGTAR_PASSWORD: password },
        });
      } finally {
        await harbor.stop();
      }
    },
  },
  {
    code: 'AUTH_DENIED',
    title: 'an account that may not push',
    exit: 1,
    says: /403: no/,
    hint: /./,
    provoke: async () => pushThrough([{ method: 'POST', path: /uploads/, fault: denied }]),
  },
  {
    code: 'AUTH_TOKEN',
    title: 'a token service that is not there',
    exit: 1,
    says: /token/,
    hint: /./,
    provoke: async () =>
      pushThrough(
        [
          {
            fault: {
              kind: 'answer',
              status: 401,
              headers: { 'WWW-Authenticate': 'Bearer realm="http://127.0.0.1:1/token",service="x"' },
            },
          },
        ],
        '--plain-http',
      ),
  },
  {
    code: 'BODY_TOO_LARGE',
    title: 'a proxy that limits bodies',
    exit: 1,
    says: /413/,
    hint: /--chunk-size|client_max_body_size/,
    provoke: async () =>
      pushThrough([{ method: ['POST', 'PATCH', 'PUT'], path: /uploads/, fault: answers.entityTooLarge }]),
  },
  {
    code: 'STATE_INVALID',
    title: 'a state file of somebody else',
    exit: 2,
    says: /notes\.json is not a file that a push has written/,
    hint: /--state/,
    provoke: async (folder) => {
      writeFileSync(folder.file('notes.json'), '{"mine": true}');
      return pushThrough([], '--state', folder.file('notes.json'));
    },
  },
  {
    code: 'CREDENTIAL_HELPER',
    title: 'a helper that is not installed',
    exit: 2,
    says: /docker-credential-nobody/,
    hint: /./,
    provoke: async (folder) => {
      writeFileSync(folder.file('auth.json'), JSON.stringify({ credsStore: 'nobody' }));
      return pushThrough(
        [
          {
            path: /\/v2\/$/,
            fault: { kind: 'answer', status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' } },
          },
        ],
        '--authfile',
        folder.file('auth.json'),
      );
    },
  },
  {
    code: 'AUTH_FAILED',
    title: 'no account',
    exit: 1,
    says: /401/,
    hint: /--username/,
    provoke: async () =>
      pushThrough([{ fault: { kind: 'answer', status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' } } }]),
  },
];
