import { afterAll, describe, expect, it } from 'vitest';
import { startHarborDouble } from '../harbor/double/start.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { failures, push, statuses } from './support/regtar.ts';

const folder = temporaryFolder();
const source = folder.file('backup');
const storage = buildStorage((s) => {
  const layer = s.blob('layer of a cache', 'team/app');
  const config = s.blob('{"layers":[],"records":[]}', 'team/app');
  const manifests = [
    { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', digest: layer, size: 16 },
    { mediaType: 'application/vnd.buildkit.cacheconfig.v0', digest: config, size: 26 },
  ];
  const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  s.image('team/app', 'v1');
  return s.manifest('team/app', 'cache', index, { mediaType: mediaTypes.ociIndex });
});
await storage.writeTo(source);
afterAll(() => folder.remove());

describe("BuildKit's registry cache, an index whose entries are layers", () => {
  it('reaches a registry that takes it, with its digest', async () => {
    const registry = await startRegistry();
    try {
      const result = await push(source, registry.host);
      expect([result.code, statuses(result)]).toEqual([0, { copied: 2 }]);
      const answer = await fetch(`http://${registry.host}/v2/team/app/manifests/cache`, {
        method: 'HEAD',
        headers: { accept: mediaTypes.ociIndex },
      });
      expect(answer.headers.get('docker-content-digest')).toBe(storage.built.digest);
    } finally {
      await registry.stop();
    }
  });

  it('is named before the first byte on Harbor, which has no place for it; the others arrive', async () => {
    const harbor = await startHarborDouble({ loginLockMilliseconds: 50 });
    try {
      const result = await push(source, harbor.host, { account: harbor.admin });
      expect([result.code, failures(result)]).toEqual([3, { 'team/app:cache': 'MANIFEST_UNSUPPORTED' }]);
      expect(result.stderr).toContain('is an index of layers (a BuildKit cache)');
      expect(harbor.requests.some(({ method, path }) => method === 'PUT' && path.endsWith('manifests/cache'))).toBe(
        false,
      );
    } finally {
      await harbor.stop();
    }
  });
});
