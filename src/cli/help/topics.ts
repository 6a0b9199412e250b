import { formatNames, formats as table } from '../../formats/formats.ts';

/** A page of `regtar help TOPIC`; lines of at most 80 columns. */
export interface Topic {
  readonly about: string;
  readonly text: string;
}

const formats = `
regtar export writes what other tools take. Digests never change.

${formatNames.map((name) => paragraph(name, table[name].help)).join('\n')}

Which to take
  to Harbor or any registry on the network    regtar push
  to a registry without a network             --format registry
  to machines with docker, podman or k3s      --format docker-archive
  for everything else                         --format oci
  to media of a fixed size                    --volume-size 4.4G

A rerun into the same OUT continues; what is there is not written again. With
--resume it is read first, and an archive goes on where it was cut.
`;

/** A name with its words beside it. */
function paragraph(name: string, lines: readonly string[]): string {
  return lines.map((line, index) => `  ${(index === 0 ? name : '').padEnd(16)}${line}`).join('\n');
}

const auth = `
regtar push looks for credentials in this order:

  1. --username with --password-stdin, --registry-token-stdin or --anonymous
  2. REGTAR_USERNAME and REGTAR_PASSWORD
  3. --authfile or REGISTRY_AUTH_FILE
  4. what podman login, skopeo login or docker login have saved:
     containers/auth.json, then ~/.docker/config.json, their helpers included

A password is never an option: other users of the machine could read it.

  printf %s "$PASSWORD" | regtar push docker.tar HOST \\
    --username 'robot$migration' --password-stdin

Harbor calls robots robot$name and robot$project+name: write them in single
quotes, or the shell takes the $ away.

Certificates
  --ca-file FILE    trust this certificate authority, too
  --cert-dir FOLDER certificates as in /etc/docker/certs.d/HOST, which is looked
                    at anyway, as are /etc/containers/certs.d, SSL_CERT_FILE
                    and the authorities of the system
  --insecure        verify no certificate; every run says so
  --plain-http      use http; hosts on the loopback may fall back to it

SOURCE on a server has --source-username, --source-password-file and
--source-ca-file of its own. s3:// takes keys, region and AWS_CA_BUNDLE from
the environment and from profiles, as the tools of AWS do.

Proxies: HTTPS_PROXY, HTTP_PROXY and NO_PROXY are respected.
`;

const exitCodes = `
How a command ends, for scripts:

  0    done, everything asked for is there
  1    failed: nothing useful was completed
  2    wrong use: unknown option, missing SOURCE, malformed REF or TARGET
  3    finished, but some images failed; each is named on standard error and in
       the report
  4    verify found damage, or check found differences
  130  interrupted; what was finished stays valid, a rerun continues

An error is one line, regtar: CODE: what and where, then hint: what to do.
regtar help CODE says more about it. With -v its stack follows.
`;

const storage = `
A backup is the storage of a Docker Distribution registry, made by

  cd /var/lib/registry; tar -cpf docker.tar docker

SOURCE may be
  - such an archive, plain or compressed with gzip or zstd
  - - for standard input
  - a folder that holds the storage, such as a volume mounted read-only
  - the first of split parts (docker.tar.aa, docker.tar.part000, ...)
  - https://HOST/docker.tar, read in parts where it lies
  - s3://BUCKET/PREFIX, the storage of a registry's s3 driver, or a tar there
  - several of these with --source, read as one
Where none is given it is docker.tar in the working directory.

Inside are blobs, each once, and links to them:

  docker/registry/v2/blobs/sha256/ab/ab.../data
  docker/registry/v2/repositories/NAME/_manifests/tags/TAG/current/link
  docker/registry/v2/repositories/NAME/_manifests/tags/TAG/index/...
  docker/registry/v2/repositories/NAME/_manifests/revisions/...
  docker/registry/v2/repositories/NAME/_layers/...

regtar reads it where it lies; nothing is unpacked. What is broken is listed
by regtar verify, and the rest can travel. Stop the registry or make it
read-only while it is packed.
`;

const config = `
A setting comes from a flag, or else from the environment, or else from a file.

  flag          --on-existing-tag skip
  environment   REGTAR_ON_EXISTING_TAG=skip
  file          on-existing-tag: skip

The file is regtar.yaml in the working directory, or that of --config or
REGTAR_CONFIG. Settings are named like long options, --no-NAME is NAME: false;
source, target and out are the operands. Settings below the name of a command
are for that command alone:

  source: /backups/docker.tar
  target: harbor.example.com/migrated
  include:
    - team/*
    - library/*:v*
  map: old/*=new/*
  jobs: 8
  push:
    on-existing-tag: skip
  verify:
    jobs: 2

In the environment, lists are separated by spaces, and switches are true or
false. Operands of the command line replace those of the settings. Passwords
do not belong in the file.

regtar config check prints what is in force, and where it comes from.
`;

/** By name, in the order of `regtar help`. */
export const topics = {
  formats: { about: 'what export writes, and who takes it', text: formats },
  auth: { about: 'credentials, certificates and proxies', text: auth },
  'exit-codes': { about: 'what a script may rely on', text: exitCodes },
  storage: { about: 'what a backup is', text: storage },
  config: { about: 'regtar.yaml and REGTAR_*', text: config },
} as const satisfies Readonly<Record<string, Topic>>;
