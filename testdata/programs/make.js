// Makes the archives beside it again: `npm run build && node testdata/programs/make.js [PROGRAM…]`. Needs docker-registry, GNU tar and gzip, and
// in PATH crane, oras, regctl, hauler (`go build ./cmd/hauler`, after 2.1.0-dev.2), kaniko's executor (`CGO_ENABLED=0 go build ./cmd/executor`
// after 1.24.0; as root), docker and dockerd 25 to 28 with buildx (as root; Debian has them after 12), zot
// (`CGO_ENABLED=0 GOEXPERIMENT=jsonv2 go build ./cmd/zot`), and Maven with a JDK, which fetches jib. What these programs write is packed as it is;
// only times, owners and order are fixed.
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const folder = mkdtempSync(join(tmpdir(), 'regtar-programs-'));
const run = (program, ...args) =>
  execFileSync(program, args, {
    cwd: folder,
    env: { ...process.env, HOME: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });

const host = `127.0.0.1:${await freePort()}`;
writeFileSync(
  join(folder, 'registry.json'),
  JSON.stringify({
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
    http: { addr: host },
  }),
);
const registry = spawn('docker-registry', ['serve', 'registry.json'], { cwd: folder, stdio: 'ignore' });
try {
  while (!(await fetch(`http://${host}/v2/`).catch(() => undefined))?.ok) await wait(50);
  run(process.execPath, join(root, 'bin/regtar.js'), 'push', join(root, 'testdata/docker.tar'), host, '-q');

  const asked = process.argv.slice(2);
  for (const [program, make] of Object.entries({ crane, regctl, oras, hauler, kaniko, docker, zot, jib }))
    if (asked.length === 0 || asked.includes(program)) await make();
} finally {
  registry.kill();
  rmSync(folder, { recursive: true, force: true });
}

function crane() {
  run('crane', 'pull', '--format=oci', '--annotate-ref', `${host}/tools/multi:1.0`, 'crane-oci');
  run('crane', 'pull', '--format=tarball', `${host}/tools/hello:1.0`, `${host}/tools/hello:edge`, 'crane.tar');
  run('crane', 'pull', '--format=legacy', `${host}/tools/hello:1.0`, 'crane-legacy.tar');
  pack('crane-oci', 'crane.tar', 'crane-legacy.tar');
}

function regctl() {
  run('regctl', 'registry', 'set', '--tls', 'disabled', host);
  run('regctl', 'image', 'copy', `${host}/tools/hello:1.0`, 'ocidir://regctl-oci:1.0');
  run('regctl', 'image', 'export', `${host}/tools/multi:1.0`, 'regctl.tar');
  pack('regctl-oci', 'regctl.tar');
}

function oras() {
  run('oras', 'cp', '-r', '--from-plain-http', `${host}/team/app/web:2.0`, '--to-oci-layout', 'oras-oci:2.0');
  run('oras', 'backup', '--plain-http', '--include-referrers', '--output', 'oras.tar', `${host}/tools/hello`);
  pack('oras-oci', 'oras.tar');
}

function hauler() {
  for (const name of ['tools/hello:1.0', 'tools/multi:1.0'])
    run('hauler', 'store', 'add', 'image', `${host}/${name}`, '--store', 'hauler-oci');
  run('hauler', 'store', 'save', '--store', 'hauler-oci', '--filename', 'hauler.tar.zst');
  pack('hauler-oci', 'hauler.tar.zst');
}

/** It builds in the root of its file system, so it gets one of its own. */
function kaniko() {
  const own = join(folder, 'root');
  for (const name of ['kaniko', 'work', 'etc', 'tmp', 'proc']) mkdirSync(join(own, name), { recursive: true });
  const executor = execFileSync('sh', ['-c', 'command -v executor'], { encoding: 'utf8' }).trim();
  copyFileSync(executor, join(own, 'kaniko/executor'));
  writeFileSync(join(own, 'etc/passwd'), '');
  writeFileSync(join(own, 'work/hello'), 'hello\n');
  writeFileSync(join(own, 'work/Dockerfile'), 'FROM scratch\nCOPY hello /hello\nCOPY hello /again/hello\n');
  const names = ['1', 'latest'].map((tag) => `--destination=registry.example/tools/kaniko:${tag}`);
  const how = ['--context=dir:///work', '--no-push', '--reproducible', '--force', '--tar-path=/work/kaniko.tar'];
  const alone = ['--mount', '--pid', '--fork', `--mount-proc=${own}/proc`, 'chroot', own];
  run('unshare', ...alone, '/kaniko/executor', '--dockerfile=/work/Dockerfile', ...names, ...how);
  renameSync(join(own, 'work/kaniko.tar'), join(folder, 'kaniko.tar'));
  pack('kaniko.tar');
}

/** Both of its stores. The containerd store holds of an index the platform that was pulled, and saves it so. */
async function docker() {
  for (const store of ['containerd', 'classic']) {
    const own = join(folder, `docker-${store}`);
    mkdirSync(own);
    const address = `unix://${own}/socket`;
    const settings = { features: { 'containerd-snapshotter': store === 'containerd' } };
    writeFileSync(join(own, 'daemon.json'), JSON.stringify(settings));
    const places = Object.entries({
      'config-file': 'daemon.json',
      'data-root': 'data',
      'exec-root': 'exec',
      pidfile: 'pid',
    });
    const flags = ['--iptables=false', '--ip6tables=false', '--bridge=none', '-H', address];
    const driver = `--storage-driver=${store === 'containerd' ? 'native' : 'vfs'}`;
    const command = [...places.map(([name, path]) => `--${name}=${join(own, path)}`), ...flags, driver];
    const daemon = spawn('dockerd', command, { stdio: 'ignore' });
    const docker = (...args) => run('docker', '-H', address, ...args);
    try {
      while (!isReady(() => docker('version'))) await wait(100);
      const pulled = ['tools/multi:1.0', 'team/app/web:2.0', 'tools/hello:1.1'].map((name) => `${host}/${name}`);
      for (const name of pulled) docker('pull', '-q', name);
      for (const name of ['app:1', 'app:2']) docker('tag', pulled[0], name);
      docker('save', '-o', join(folder, `docker-${store}.tar`), 'app:1', 'app:2', ...pulled.slice(1));
      if (store === 'containerd') buildx(docker);
    } finally {
      await stop(daemon);
    }
    pack(`docker-${store}.tar`);
  }
}

/** With attestations, as it makes them unasked, and without. */
function buildx(docker) {
  mkdirSync(join(folder, 'build'));
  writeFileSync(join(folder, 'build/hello'), 'hello\n');
  writeFileSync(join(folder, 'build/Dockerfile'), 'FROM scratch\nARG TARGETARCH\nCOPY hello /hello-$TARGETARCH\n');
  const build = (type, ...options) => {
    const out = `type=${type},dest=${join(folder, `buildx-${type}.tar`)}`;
    docker('buildx', 'build', '-q', '--build-arg', 'SOURCE_DATE_EPOCH=0', ...options, '-o', out, join(folder, 'build'));
    pack(`buildx-${type}.tar`);
  };
  const names = ['-t', 'own/build:1', '-t', 'registry.example:5000/own/build:2'];
  build('oci', '--platform', 'linux/amd64,linux/arm64', '--provenance', 'mode=min', ...names);
  build('docker', '-t', 'build');
}

/** Its storage, as regtar's pushes fill it: blobs that repositories share are hard links. */
async function zot() {
  const port = await freePort();
  const compat = ['docker2s2'];
  const settings = {
    distSpecVersion: '1.1.1',
    storage: { rootDirectory: join(folder, 'zot') },
    http: { address: '127.0.0.1', port: String(port), compat },
    log: { level: 'error' },
  };
  writeFileSync(join(folder, 'zot.json'), JSON.stringify(settings));
  const server = spawn('zot', ['serve', join(folder, 'zot.json')], { stdio: 'ignore' });
  const address = `127.0.0.1:${port}`;
  try {
    while (!(await fetch(`http://${address}/v2/`).catch(() => undefined))?.ok) await wait(50);
    // Its layer is larger than all others together.
    const small = ['--exclude', 'base'];
    const push = ['push', join(root, 'testdata/docker.tar'), address, '-q', ...small];
    run(process.execPath, join(root, 'bin/regtar.js'), ...push);
  } finally {
    await stop(server);
  }
  pack('zot');
}

/** A Java program on nothing: not to be run, but packed as all of jib's images are. */
function jib() {
  const source = join(folder, 'jib/src/main/java/app');
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, 'Main.java'), 'package app; class Main { public static void main(String[] words) {} }');
  const group = 'com.google.cloud.tools';
  const settings = `<from><image>scratch</image></from>
    <to><image>registry.example/team/jib</image><tags><tag>1</tag></tags></to><container><mainClass>app.Main</mainClass></container>`;
  const plugin = `<groupId>${group}</groupId><artifactId>jib-maven-plugin</artifactId><version>3.4.4</version>`;
  const project = `<project><modelVersion>4.0.0</modelVersion><groupId>app</groupId><artifactId>app</artifactId><version>1</version>
    <properties><maven.compiler.source>8</maven.compiler.source><maven.compiler.target>8</maven.compiler.target></properties>
    <build><plugins><plugin>${plugin}<configuration>${settings}</configuration></plugin></plugins></build></project>`;
  writeFileSync(join(folder, 'jib/pom.xml'), project);
  for (const format of ['Docker', 'OCI']) {
    const out = join(folder, `jib-${format.toLowerCase()}.tar`);
    const options = [`-Djib.container.format=${format}`, `-Djib.outputPaths.tar=${out}`];
    run(
      'mvn',
      '-q',
      '-B',
      '-f',
      join(folder, 'jib'),
      'compile',
      `${group}:jib-maven-plugin:3.4.4:buildTar`,
      ...options,
    );
    pack(`jib-${format.toLowerCase()}.tar`);
  }
}

function isReady(ask) {
  try {
    ask();
    return true;
  } catch {
    return false;
  }
}

async function stop(child) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  await ended;
}

/** An archive in an archive, so that a file's own bytes stay. */
function pack(...names) {
  const fixed = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u+w'];
  for (const name of names) {
    const out = join(here, name.endsWith('.tar') ? `${name}.gz` : `${name}.tar.gz`);
    run('tar', '--use-compress-program=gzip -9n', ...fixed, '-cf', out, '-C', folder, name);
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
