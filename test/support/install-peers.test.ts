import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import peers from './peers.json' with { type: 'json' };
import { havePeer, type Peer } from './peers.ts';
import { run } from './run.ts';

const script = fileURLToPath(new URL('install-peers.js', import.meta.url));
const names = Object.keys(peers) as Peer[];
const absent = names.filter((name) => !havePeer(name));

it('names each peer that cannot be used here, and fails for it only where CI is set', async () => {
  const environments = [{ CI: undefined }, { CI: 'true' }];
  // Installing is left to the step before the tests; here it would change the machine.
  const results = await Promise.all(
    environments.map((env) => run(process.execPath, [script, '--dry-run'], { env, allowFailure: true })),
  );
  for (const name of absent) for (const { stderr } of results) expect(stderr).toContain(name);
  expect(results.map(({ code }) => code)).toEqual([0, absent.length === 0 ? 0 : 1]);
});

it('names a peer that is missing with the package that has it', async () => {
  const { code, stderr } = await run(process.execPath, [script, '--dry-run'], {
    env: { CI: 'true', PATH: '/nonexistent' },
    allowFailure: true,
  });
  expect(code).toBe(1);
  expect(stderr).toContain('peer missing: skopeo (Debian package skopeo)');
  expect(stderr).toContain('peer missing: htpasswd (Debian package apache2-utils)');
});
