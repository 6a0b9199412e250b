import { writeFileSync } from 'node:fs';
import type { TemporaryFolder } from '../../support/temporary-folder.ts';
import { buildStorage, type StorageDescription } from '../../support/storage-builder.ts';
import type { StorageTarOptions } from '../../support/storage-output.ts';
import { storagePaths } from '../../support/storage-paths.ts';
import { directory, file, hardLink, paxHeader } from '../../support/tar-builder.ts';
import type { ProblemCase } from './case.ts';

const root = 'docker/registry/v2';
const digest = `sha256:${'a'.repeat(64)}`;

/** A backup of one whole image, and of what is wrong. */
function backup(
  describe: (storage: StorageDescription) => unknown,
  options: StorageTarOptions = {},
  cutBytes = 0,
): (folder: TemporaryFolder) => string {
  return (folder) => {
    const bytes = buildStorage((s) => {
      s.image('whole', 'v1');
      return describe(s);
    }).tar(options);
    writeFileSync(folder.file('docker.tar'), bytes.subarray(0, bytes.length - cutBytes));
    return folder.file('docker.tar');
  };
}

const beside = (...after: Uint8Array[]): ((folder: TemporaryFolder) => string) => backup(() => undefined, { after });

/** What backups look like after years, crashes and accidents: `verify` lists each of these, and goes on. */
export const problems: readonly ProblemCase[] = [
  {
    code: 'TAR_CUT',
    title: 'a full disk while packing',
    make: backup(() => undefined, { endBlocks: 0 }, 100),
    says: /ends at byte|cut at byte/,
  },
  {
    code: 'TAR_PADDING',
    title: 'a copy that was padded to the size of its medium',
    make: backup(() => undefined, { trailing: Buffer.alloc(2 * 1024 * 1024) }),
    says: /zeros behind its end mark: padding/,
  },
  {
    code: 'TAR_HEADER_INVALID',
    title: 'damaged bytes in the archive',
    make: beside(file('lost', 'l'.repeat(2000), { checksum: 'wrong' }), file('c', '3')),
    says: /bytes [0-9]+ to [0-9]+/,
  },
  {
    code: 'TAR_LINK_INVALID',
    title: 'a link to nowhere',
    make: beside(hardLink(`${root}/${storagePaths.blob(digest as never)}`, '/etc/passwd')),
    says: /./,
  },
  {
    code: 'TAR_SPARSE',
    title: 'a sparse map without sense',
    make: beside(
      Buffer.concat([
        paxHeader({ 'GNU.sparse.realsize': '10', 'GNU.sparse.map': '8,5' }),
        file('bad', 'abcde', { dialect: 'pax' }),
      ]),
    ),
    says: /bad/,
  },
  {
    code: 'TAR_NAME_TOO_LONG',
    title: 'a name of a megabyte',
    make: beside(file(`x/${'n'.repeat(1_100_000)}`, 'x')),
    says: /extended header/,
  },
  {
    code: 'SOURCE_ROOTS',
    title: 'two trees in one archive',
    make: beside(
      directory('backup/docker/registry/v2'),
      file(`backup/${root}/${storagePaths.currentLink('other', 'v1')}`, digest),
    ),
    says: /./,
  },
  {
    code: 'LINK_INVALID',
    title: 'a link of garbage',
    make: backup((s) => s.write(storagePaths.currentLink('bad', 'v1'), 'garbage')),
    says: /bad:v1/,
  },
  {
    code: 'LINK_RECOVERED',
    title: 'a link of zero bytes',
    make: backup((s) => {
      s.image('app', 'v1');
      s.emptyTag('app', 'v1');
    }),
    says: /app:v1/,
  },
  {
    code: 'TAG_NO_CURRENT',
    title: 'a tag without a current link',
    make: backup((s) => {
      s.image('app', 'v1');
      s.loseTag('app', 'v1');
    }),
    says: /app:v1/,
  },
  {
    code: 'TAG_AMBIGUOUS',
    title: 'a tag of several pasts and no present',
    make: backup((s) => {
      s.image('app', 'v1', { layers: ['one'] });
      s.image('app', 'v1', { layers: ['two'] });
      s.emptyTag('app', 'v1');
    }),
    says: /app:v1/,
  },
  {
    code: 'TAG_REVISION_MISSING',
    title: 'an image that was deleted',
    make: backup((s) => s.deleteRevision('app', s.image('app', 'v1').digest)),
    says: /app:v1/,
  },
  {
    code: 'PATH_INVALID',
    title: 'a name that climbs',
    make: beside(file(`${root}/repositories/../../../etc/_manifests/tags/v1/current/link`, digest)),
    says: /./,
  },
  {
    code: 'REPOSITORY_INVALID',
    title: 'a repository in capitals',
    make: beside(file(`${root}/${storagePaths.currentLink('Bad', 'v1')}`, digest)),
    says: /Bad/,
  },
  {
    code: 'TAG_INVALID',
    title: 'a tag of dots',
    make: beside(file(`${root}/${storagePaths.currentLink('bad', '...')}`, digest)),
    says: /"\.\.\."/,
  },
  {
    code: 'DIGEST_INVALID',
    title: 'a digest that is too short',
    make: beside(file(`${root}/repositories/good/_layers/sha256/${'a'.repeat(62)}/link`, digest)),
    says: /./,
  },
  {
    code: 'LAYER_LINK_MISSING',
    title: 'a layer without its link',
    make: backup((s) => {
      const image = s.image('app', 'v1');
      s.remove(storagePaths.layerLink('app', image.blobs[1]?.digest ?? image.digest));
    }),
    says: /app/,
  },
  {
    code: 'REVISION_LINK_MISSING',
    title: 'a platform without its link',
    make: backup((s) => {
      const index = s.index('app', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
      s.remove(storagePaths.revisionLink('app', index.children[0]?.digest ?? index.digest));
    }),
    says: /app/,
  },
  {
    code: 'BLOB_MISSING',
    title: 'a blob that garbage collection took',
    make: backup((s) => {
      const image = s.image('app', 'v1');
      s.loseBlob(image.blobs[1]?.digest ?? image.digest);
    }),
    says: /app:v1/,
  },
  {
    code: 'BLOB_CORRUPT',
    title: 'a flipped bit',
    make: backup((s) => {
      const image = s.image('app', 'v1');
      s.corruptBlob(image.blobs[1]?.digest ?? image.digest);
    }),
    says: /app:v1/,
  },
  {
    code: 'BLOB_EMPTY',
    title: 'a blob of zero bytes',
    make: backup((s) => {
      const image = s.image('app', 'v1');
      s.emptyBlob(image.blobs[1]?.digest ?? image.digest);
    }),
    says: /./,
  },
  {
    code: 'STORAGE_V1',
    title: 'images of the first registry',
    make: backup(() => undefined, { before: [file(`images/${'1'.repeat(64)}/json`, '{}')] }),
    says: /./,
  },
  {
    code: 'STORAGE_TARSUM',
    title: 'layers named by tarsum',
    make: backup((s) =>
      s.write(`repositories/whole/_layers/tarsum/v1/sha256/${'0'.repeat(64)}/link`, `sha256:${'0'.repeat(64)}`),
    ),
    says: /tarsum/,
  },
  {
    code: 'MANIFEST_INVALID',
    title: 'a manifest that is not JSON',
    make: backup((s) => s.manifest('app', 'v1', '{"schemaVersion": 2,')),
    says: /app:v1/,
  },
  {
    code: 'MANIFEST_TOO_LARGE',
    title: 'a manifest of 5 MB',
    make: backup((s) => s.manifest('app', 'v1', ' '.repeat(5_000_000))),
    says: /app:v1/,
  },
  {
    code: 'CHILD_MISSING',
    title: 'an index that lost a platform',
    make: backup((s) => {
      const index = s.index('app', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
      s.loseBlob(index.children[0]?.digest ?? index.digest);
    }),
    says: /app:v1/,
  },
  {
    code: 'MANIFEST_CYCLE',
    title: 'an index in an index, and so on',
    make: backup((s) => {
      let inner = s.index('app', undefined, [{ platform: 'linux/amd64' }]);
      for (let depth = 0; depth < 20; depth++) inner = s.index('app', depth === 19 ? 'v1' : undefined, [inner]);
    }),
    says: /app:v1/,
  },
  {
    code: 'TAG_MAP_UNKNOWN',
    title: 'a tag map of another backup',
    says: /b:v9/,
    args: (folder) => ['--tag-map', folder.file('tags.csv')],
    make: (folder) => {
      writeFileSync(folder.file('tags.csv'), `repository,tag,digest\nb,v9,${digest}\n`);
      return backup(() => undefined)(folder);
    },
  },
  {
    code: 'TAG_MAP_INCOMPLETE',
    title: "a list of Harbor's artifacts without accessories",
    says: /with_accessory=true/,
    args: (folder) => ['--tag-map', folder.file('tags.json')],
    make: (folder) => {
      const artifact = { digest, repository_name: 'app', tags: [{ name: 'v9' }], accessories: null };
      writeFileSync(folder.file('tags.json'), JSON.stringify([artifact]));
      return backup(() => undefined)(folder);
    },
  },
  {
    code: 'TAG_CONFLICT',
    title: 'two sources that disagree',
    says: /app:v1/,
    args: (folder) => ['--source', folder.file('other.tar')],
    make: (folder) => {
      writeFileSync(folder.file('other.tar'), buildStorage((s) => s.image('app', 'v1', { layers: ['other'] })).tar());
      return backup((s) => s.image('app', 'v1', { layers: ['one'] }))(folder);
    },
  },
  {
    code: 'SCHEMA1',
    title: 'an image of the first format',
    make: backup((s) => s.schema1('old', 'v1')),
    says: /old:v1/,
  },
];
