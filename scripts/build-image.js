// @ts-check
// Makes build/image: regtar as a container image, an OCI layout and a docker-archive. The image is put into a registry's storage, and
// regtar exports it from there.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nameServiceSwitch, packagesOf, sharedLibraries } from './image/libraries.js';
import { writeLayer } from './image/layer.js';
import { run } from './standalone/node-binary.js';
import { withLock } from './with-lock.js';

const usage = `npm run build:image -- [--if-changed] [what build:standalone takes]

SOURCE_DATE_EPOCH gives the time of everything in the image; 0 unless set.
`;

const project = fileURLToPath(new URL('../', import.meta.url));
const folder = join(project, 'build/image');
const standalone = join(project, 'build/standalone');
const args = process.argv.slice(2);

if (args.includes('--help')) process.stdout.write(usage);
else {
  process.stdout.write(run(process.execPath, [join(project, 'scripts/build-standalone.js'), ...args]));
  await withLock(join(project, 'build/image.lock'), build);
}

async function build() {
  const stamp = join(folder, '.sources');
  const sources = createHash('sha256')
    .update(readFileSync(join(standalone, 'SHA256SUMS')))
    .update(readFileSync(fileURLToPath(import.meta.url)))
    .update(process.env['SOURCE_DATE_EPOCH'] ?? '')
    .digest('hex');
  if (args.includes('--if-changed') && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  rmSync(folder, { recursive: true, force: true });
  const storage = join(folder, 'storage');
  mkdirSync(storage, { recursive: true });
  const { version, description, license } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  const time = new Date(Number(process.env['SOURCE_DATE_EPOCH'] ?? 0) * 1000);

  const layer = join(folder, 'layer.tar.gz');
  const { diffId, digest, size } = await writeLayer(imageFiles(), layer, time);
  placeBlob(storage, digest, layer);
  const config = writeBlob(storage, 'application/vnd.oci.image.config.v1+json', {
    created: time.toISOString(),
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      User: '65532:65532',
      Env: ['PATH=/usr/bin', 'HOME=/tmp'],
      Entrypoint: ['/usr/bin/regtar'],
      Cmd: ['help'],
      // A backup that is mounted here is the SOURCE that need not be named.
      WorkingDir: '/backup',
      Labels: {
        'org.opencontainers.image.title': 'regtar',
        'org.opencontainers.image.description': description,
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': license,
      },
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created: time.toISOString(), created_by: 'npm run build:image' }],
  });
  const manifest = writeBlob(storage, 'application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size }],
  });
  writeLinks(storage, manifest.digest, version, [config.digest, digest]);

  const regtar = join(project, 'bin/regtar.js');
  run(process.execPath, [regtar, 'export', '--format', 'oci', storage, join(folder, 'oci')]);
  run(process.execPath, [regtar, 'export', '--format', 'docker-archive', storage, join(folder, 'regtar-image.tar')]);
  rmSync(storage, { recursive: true });
  writeFileSync(stamp, sources);
  process.stdout.write(
    `build/image/oci\tregtar:${version} ${manifest.digest}\nbuild/image/regtar-image.tar\t${statSync(join(folder, 'regtar-image.tar')).size} bytes\n`,
  );
}

/** Nothing but regtar, what it is linked with, and what those look for. @returns {import('./image/layer.js').LayerFile[]} */
function imageFiles() {
  const binary = join(standalone, `regtar-linux-${process.arch}`);
  const libraries = sharedLibraries(binary);
  const packages = packagesOf(libraries);
  const authorities = '/etc/ssl/certs/ca-certificates.crt';
  return [
    { path: '/usr/bin/regtar', source: binary, mode: 0o755 },
    ...libraries.map(({ path, source }) => ({ path, source, mode: 0o755 })),
    { path: '/etc/nsswitch.conf', text: nameServiceSwitch },
    {
      path: '/etc/passwd',
      text: 'root:x:0:0:root:/tmp:/sbin/nologin\nregtar:x:65532:65532:regtar:/tmp:/sbin/nologin\n',
    },
    { path: '/etc/group', text: 'root:x:0:\nregtar:x:65532:\n' },
    ...(existsSync(authorities) ? [{ path: authorities, source: authorities }] : []),
    { path: '/usr/share/doc/regtar/LICENSES.txt', source: join(standalone, 'LICENSES.txt') },
    {
      path: '/usr/share/doc/regtar/regtar.cdx.json',
      source: join(standalone, `regtar-linux-${process.arch}.cdx.json`),
    },
    {
      path: '/usr/share/doc/regtar/libraries.txt',
      text: [
        ...libraries.map(({ path }) => path).sort(),
        '',
        ...packages.map(({ name, version, arch }) => `${name} ${version} ${arch}`),
        '',
      ].join('\n'),
    },
    ...packages.flatMap(({ name, copyright }) =>
      copyright === undefined ? [] : [{ path: `/usr/share/doc/${name}/copyright`, text: copyright }],
    ),
    { path: '/backup', folder: true },
    { path: '/tmp', folder: true, mode: 0o1777 },
  ];
}

/** @param {string} storage @param {string} mediaType @param {unknown} document */
function writeBlob(storage, mediaType, document) {
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const path = blobPath(storage, digest);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return { mediaType, digest, size: bytes.length };
}

/** @param {string} storage @param {string} digest @param {string} file */
function placeBlob(storage, digest, file) {
  const path = blobPath(storage, digest);
  mkdirSync(dirname(path), { recursive: true });
  renameSync(file, path);
}

/** @param {string} storage @param {string} digest */
function blobPath(storage, digest) {
  const hex = digest.slice(7);
  return join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
}

/** @param {string} storage @param {string} manifest @param {string} tag @param {readonly string[]} blobs */
function writeLinks(storage, manifest, tag, blobs) {
  const repository = join(storage, 'docker/registry/v2/repositories/regtar');
  const links = [
    ...blobs.map((digest) => [`_layers/sha256/${digest.slice(7)}/link`, digest]),
    [`_manifests/revisions/sha256/${manifest.slice(7)}/link`, manifest],
    [`_manifests/tags/${tag}/current/link`, manifest],
    [`_manifests/tags/${tag}/index/sha256/${manifest.slice(7)}/link`, manifest],
  ];
  for (const [path = '', digest = ''] of links) {
    mkdirSync(dirname(join(repository, path)), { recursive: true });
    writeFileSync(join(repository, path), digest);
  }
}
