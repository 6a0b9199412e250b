import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { startHarborDouble } from '../harbor/double/start.ts';
import { havePeer } from '../support/peers.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { failures, push, statuses, type Account } from './support/regtar.ts';

const folder = temporaryFolder();
const source = folder.file('backup');
const { built, ...store } = buildStorage((s) => {
  const config = { mediaType: mediaTypes.ociConfig, digest: s.blob('{}', 'team/app'), size: 2 };
  const manifest = (name: string): string =>
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, annotations: { name }, config, layers: [] });
  const options = { mediaType: mediaTypes.ociManifest, algorithm: 'sha512' } as const;
  const untagged = s.manifest('team/app', undefined, manifest('untagged'), options);
  const child = s.manifest('team/app', undefined, manifest('child'), options);
  s.manifest('team/app', 'tagged', manifest('tagged'), options);
  s.index('team/app', 'index', [child]);
  s.image('team/app', 'v1');
  return untagged;
});
beforeAll(() => store.writeTo(source));
afterAll(() => folder.remove());

describe('manifests by sha512', () => {
  const servers: readonly (readonly [
    string,
    () => Promise<{ host: string; admin?: Account; stop(): Promise<void> }>,
  ])[] = [
    ['docker-registry', () => startRegistry()],
    ['distribution', () => startRegistry({ software: 'distribution' })],
    ['Harbor', () => startHarborDouble({ loginLockMilliseconds: 50 })],
  ];
  it.each(servers.filter(([name]) => name !== 'distribution' || havePeer('distribution')))(
    'are named for what they are where %s keeps sha256 alone; a tag arrives under its sha256 digest',
    async (name, start) => {
      const server = await start();
      try {
        const account = server.admin === undefined ? {} : { account: server.admin };
        const result = await push(source, server.host, { ...account, args: ['--untagged'] });
        expect([result.code, failures(result)]).toEqual([
          3,
          {
            [`team/app@${built.digest}`]: 'MANIFEST_UNSUPPORTED',
            'team/app:index': 'MANIFEST_UNSUPPORTED',
          },
        ]);
        expect(statuses(result)).toMatchObject({ copied: 2 });
        expect(result.stderr).toMatch(name === 'Harbor' ? /by a digest that is not sha256/ : /by sha256 only/);
        expect(result.stderr).toContain('--format oci, dir or registry');
      } finally {
        await server.stop();
      }
    },
  );
});
