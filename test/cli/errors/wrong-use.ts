import { symlinkSync, writeFileSync } from 'node:fs';
import { regtar } from '../../e2e/support/regtar.ts';
import { fixturePath } from '../../support/fixture.ts';
import { archive, file } from '../../support/tar-builder.ts';
import type { ErrorCase } from './case.ts';

const unreachable = '127.0.0.1:1';

/** Mistakes on the command line and in what it names. */
export const wrongUse: readonly ErrorCase[] = [
  {
    code: 'USAGE',
    title: 'a mistyped option',
    exit: 2,
    says: /unknown option '--jsno'/,
    hint: /did you mean --json/,
    provoke: async () => regtar(['list', '--jsno']),
  },
  {
    code: 'USAGE',
    title: 'a mistyped command',
    exit: 2,
    says: /unknown command 'inspekt'/,
    hint: /did you mean inspect/,
    provoke: async () => regtar(['inspekt']),
  },
  {
    code: 'USAGE',
    title: 'a command without its second word',
    exit: 2,
    says: /config is not complete/,
    hint: /regtar config check/,
    provoke: async () => regtar(['config']),
  },
  {
    code: 'REFERENCE_INVALID',
    title: 'an image in capitals',
    exit: 2,
    says: /Team\/App:v1/,
    hint: /./,
    provoke: async () => regtar(['inspect', fixturePath, 'Team/App:v1']),
  },
  {
    code: 'TARGET_INVALID',
    title: 'a password in TARGET',
    exit: 2,
    says: /./,
    hint: /--password-stdin/,
    provoke: async () => regtar(['push', fixturePath, 'https://me:secret@host']),
  },
  {
    code: 'FILTER_INVALID',
    title: 'an empty glob',
    exit: 2,
    says: /empty/,
    hint: /./,
    provoke: async () => regtar(['list', fixturePath, '--include', '']),
  },
  {
    code: 'TIMES_UNUSABLE',
    title: 'the newest of a storage that was copied without its times',
    exit: 1,
    says: /same push time/,
    hint: /--by created/,
    provoke: async () => regtar(['list', fixturePath, '--newest', '1']),
  },
  {
    code: 'MAP_INVALID',
    title: 'a map without =',
    exit: 2,
    says: /team/,
    hint: /./,
    provoke: async (folder) => regtar(['export', fixturePath, folder.file('out'), '--map', 'team']),
  },
  {
    code: 'CONFIG_INVALID',
    title: 'a slip in regtar.yaml',
    exit: 2,
    says: /regtar\.yaml:2: unknown setting jbos/,
    hint: /did you mean jobs/,
    provoke: async (folder) => {
      writeFileSync(folder.file('regtar.yaml'), 'source: docker.tar\njbos: 3\n');
      return regtar(['list'], { cwd: folder.path });
    },
  },
  {
    code: 'CONFIG_INVALID',
    title: 'a variable that is not a number',
    exit: 2,
    says: /REGTAR_JOBS: a whole number/,
    hint: /regtar help CONFIG_INVALID/,
    provoke: async () => regtar(['verify', fixturePath], { env: { REGTAR_JOBS: 'many' } }),
  },
  {
    code: 'SOURCE_NOT_FOUND',
    title: 'no docker.tar here',
    exit: 2,
    says: /there is no docker\.tar/,
    hint: /name the backup/,
    provoke: async (folder) => regtar(['list'], { cwd: folder.path }),
  },
  {
    code: 'TAG_UNKNOWN',
    title: 'an image that is not there',
    exit: 1,
    says: /tools\/hello:9\.9/,
    hint: /./,
    provoke: async () => regtar(['inspect', fixturePath, 'tools/hello:9.9']),
  },
  {
    code: 'NOTHING_SELECTED',
    title: 'a filter that fits nothing',
    exit: 1,
    says: /./,
    hint: /regtar list/,
    provoke: async (folder) => regtar(['export', fixturePath, folder.file('out'), '--include', 'no/such']),
  },
  {
    code: 'TAG_MAP_INVALID',
    title: 'a tag map that is none',
    exit: 2,
    says: /tags\.csv/,
    hint: /./,
    provoke: async (folder) => {
      writeFileSync(folder.file('tags.csv'), 'what,is,this\nwho,knows,that\n');
      return regtar(['list', fixturePath, '--tag-map', folder.file('tags.csv')]);
    },
  },
  {
    code: 'REPORT_INVALID',
    title: 'a report that is none',
    exit: 2,
    says: /report\.json/,
    hint: /./,
    provoke: async (folder) => {
      writeFileSync(folder.file('report.json'), '{}');
      return regtar(['check', unreachable, '--report', folder.file('report.json')]);
    },
  },
  {
    code: 'CREDENTIALS_INVALID',
    title: 'a user without a password',
    exit: 2,
    says: /./,
    hint: /./,
    provoke: async () => regtar(['push', fixturePath, unreachable], { env: { REGTAR_USERNAME: 'me' } }),
  },
  {
    code: 'ENGINE_UNREACHABLE',
    title: 'no docker',
    exit: 1,
    says: /nobody\.sock/,
    hint: /--socket|DOCKER_HOST/,
    provoke: async (folder) =>
      regtar(['load', fixturePath, '--include', 'tools/hello', '--socket', `unix://${folder.file('nobody.sock')}`]),
  },
  {
    code: 'CONFIG_INVALID',
    title: 'certificates of an engine that are not there, before the backup is read',
    exit: 2,
    says: /certs\/ca\.pem (?:cannot be read|does not exist)/,
    hint: /DOCKER_CERT_PATH/,
    provoke: async (folder) =>
      regtar(['load', '-'], {
        env: { DOCKER_HOST: 'tcp://127.0.0.1:1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder.file('certs') },
      }),
  },
  {
    code: 'SOURCE_PART_MISSING',
    title: 'parts with a gap',
    exit: 1,
    says: /docker\.tar\.ab/,
    hint: /./,
    provoke: async (folder) => {
      for (const part of ['aa', 'ac']) writeFileSync(folder.file(`docker.tar.${part}`), 'x'.repeat(512));
      return regtar(['list', folder.file('docker.tar.aa')]);
    },
  },
  {
    code: 'SOURCE_COMPRESSED',
    title: 'an xz',
    exit: 1,
    says: /xz/,
    hint: /xz -dc/,
    provoke: async (folder) => {
      writeFileSync(
        folder.file('docker.tar.xz'),
        Buffer.concat([Buffer.from('fd377a585a0000', 'hex'), Buffer.alloc(2000)]),
      );
      return regtar(['list', folder.file('docker.tar.xz')]);
    },
  },
  {
    code: 'SOURCE_UNREADABLE',
    title: 'a file that is a circle',
    exit: 1,
    says: /round\.tar/,
    hint: /./,
    provoke: async (folder) => {
      symlinkSync(folder.file('round.tar'), folder.file('round.tar'));
      return regtar(['list', folder.file('round.tar')]);
    },
  },
  {
    code: 'SOURCE_EMPTY',
    title: 'an empty folder',
    exit: 1,
    says: /empty/,
    hint: /./,
    provoke: async (folder) => regtar(['list', folder.path]),
  },
  {
    code: 'SOURCE_NOT_TAR',
    title: 'a text',
    exit: 1,
    says: /not a tar archive/,
    hint: /./,
    provoke: async (folder) => {
      writeFileSync(folder.file('text.tar'), 'this is not an archive\n'.repeat(100));
      return regtar(['list', folder.file('text.tar')]);
    },
  },
  {
    code: 'SOURCE_NOT_REGISTRY',
    title: 'a folder of something else',
    exit: 1,
    says: /registry/,
    hint: /docker\/registry\/v2|registry/,
    provoke: async (folder) => {
      writeFileSync(folder.file('photo.jpg'), 'x');
      return regtar(['list', folder.path]);
    },
  },
  {
    code: 'SOURCE_DOCKER_LEGACY',
    title: 'what a Docker of 2015 saved',
    exit: 1,
    says: /old\.tar was saved by a Docker older than 1\.10/,
    hint: /docker load/,
    provoke: async (folder) => {
      const id = 'a'.repeat(64);
      const tar = archive([
        file('repositories', JSON.stringify({ app: { 1: id } })),
        file(`${id}/json`, '{}'),
        file(`${id}/layer.tar`, 'x'),
      ]);
      writeFileSync(folder.file('old.tar'), tar);
      return regtar(['list', folder.file('old.tar')]);
    },
  },
  {
    code: 'SOURCE_NAMES_MISSING',
    title: 'a layout with tags alone on standard input',
    exit: 2,
    says: /standard input names tags only/,
    hint: /--repository team\/app/,
    provoke: async () => {
      const manifests = [
        { digest: `sha256:${'a'.repeat(64)}`, annotations: { 'org.opencontainers.image.ref.name': '1' } },
      ];
      const input = archive([
        file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
        file('index.json', JSON.stringify({ schemaVersion: 2, manifests })),
      ]);
      return regtar(['list', '-'], { input });
    },
  },
  {
    code: 'LISTEN_FAILED',
    title: 'an address that is not of this machine',
    exit: 2,
    says: /192\.0\.2\.1:5000.*does not have that address/,
    hint: /--listen/,
    provoke: async () => regtar(['serve', fixturePath, '--listen', '192.0.2.1:5000', '--plain-http']),
  },
  {
    code: 'LISTEN_INSECURE',
    title: 'every address without TLS',
    exit: 2,
    says: /other machines can reach/,
    hint: /--tls-cert.*--plain-http/,
    provoke: async () => regtar(['serve', fixturePath, '--listen', ':0']),
  },
  {
    code: 'LISTEN_INSECURE',
    title: 'passwords over http',
    exit: 2,
    says: /other machines can reach/,
    hint: /passwords never travel over http/,
    provoke: async (folder) => {
      writeFileSync(folder.file('htpasswd'), `me:$2y$05$${'a'.repeat(53)}\n`);
      return regtar(['serve', fixturePath, '--listen', ':0', '--plain-http', '--htpasswd', folder.file('htpasswd')]);
    },
  },
  {
    code: 'TLS_INVALID',
    title: 'files that are not a certificate and key',
    exit: 2,
    says: /a\.pem and .*a\.pem are not a certificate and its key/,
    hint: /PEM/,
    provoke: async (folder) => {
      writeFileSync(folder.file('a.pem'), 'none');
      return regtar(['serve', fixturePath, '--tls-cert', folder.file('a.pem'), '--tls-key', folder.file('a.pem')]);
    },
  },
  {
    code: 'TLS_INVALID',
    title: 'a folder that holds something else',
    exit: 2,
    says: /does not hold just ca\.crt, server-key\.pem, server\.pem/,
    hint: /another folder/,
    provoke: async (folder) => {
      writeFileSync(folder.file('notes.txt'), 'mine');
      return regtar(['serve', fixturePath, '--tls-self-signed', '--tls-dir', folder.path]);
    },
  },
  {
    code: 'HTPASSWD_INVALID',
    title: 'a password that is not hashed',
    exit: 2,
    says: /line 2 of .*htpasswd/,
    hint: /htpasswd -B/,
    provoke: async (folder) => {
      writeFileSync(folder.file('htpasswd'), '# users\nme:secret\n');
      return regtar(['serve', fixturePath, '--htpasswd', folder.file('htpasswd')]);
    },
  },
];
