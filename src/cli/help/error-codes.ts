import type { ErrorCode } from '../../errors.ts';

/** What to do about a code: `regtar help CODE`, and the table of docs/troubleshooting.md. */
export interface ErrorHelp {
  readonly cause: string;
  readonly remedy: string;
}

/** Every code, as the compiler sees to. The order is that of the docs. */
export const errorHelp: Readonly<Record<ErrorCode, ErrorHelp>> = {
  USAGE: {
    cause:
      'The command line does not make sense: an unknown option, a missing operand, options that exclude each other.',
    remedy: 'Follow the hint, or read `regtar COMMAND --help`.',
  },
  REFERENCE_INVALID: {
    cause: 'An image was named in a form that no registry takes.',
    remedy: 'Write `repository:tag` or `repository@sha256:HEX`, repositories in small letters, without the host.',
  },
  TARGET_INVALID: {
    cause: 'TARGET is not an address of a registry, or has a password in it.',
    remedy: 'Write `host[:port][/project[/prefix]]`; passwords go through `--password-stdin`.',
  },
  FILTER_INVALID: {
    cause: 'A glob of `--include` or `--exclude` is empty or unfinished.',
    remedy: "Write it in single quotes, such as `'team/*:v*'`.",
  },
  MAP_INVALID: {
    cause: '`--map` or `--project` makes no valid repository name.',
    remedy:
      "Write `'FROM=TO'` with as many stars on the right as on the left, or fewer; look at the result with " +
      '`--dry-run`.',
  },
  CONFIG_INVALID: {
    cause: 'A settings file, a `REGTAR_*` or proxy variable, or a certificate cannot be used.',
    remedy: 'Correct the line that is named; `regtar config check` shows what is in force and where it comes from.',
  },

  SOURCE_NOT_FOUND: {
    cause: 'The backup, or a part of it, is not where it was looked for.',
    remedy: 'Name it, or go to the folder where `docker.tar` lies.',
  },
  SOURCE_UNREADABLE: {
    cause:
      'The medium or the file system refuses to read: permissions, a bad sector, a lost mount, an unpacked stream ' +
      'that ended early.',
    remedy: 'Check permissions and the medium; copy the backup again and compare checksums.',
  },
  SOURCE_EMPTY: {
    cause: 'The backup has no bytes or no members.',
    remedy: 'Look at how it was made: the folder that was packed was empty, or the disk was full.',
  },
  SOURCE_NOT_TAR: {
    cause: 'The file is not a tar archive, or nothing in it can be read.',
    remedy: 'Make it with `cd /var/lib/registry; tar -cpf docker.tar docker`.',
  },
  SOURCE_NOT_REGISTRY: {
    cause: 'The archive or folder is readable and holds no images in a format that regtar reads.',
    remedy:
      'Pack the folder that contains `docker/registry/v2`, or give an OCI layout, a docker-archive or dir folders.',
  },
  SOURCE_COMPRESSED: {
    cause: 'The backup is compressed in a form that regtar does not read, or twice, or the compressed data is damaged.',
    remedy: 'Decompress it once and give the result, or pipe it: `xz -dc docker.tar.xz | regtar inspect -`.',
  },
  SOURCE_DOCKER_LEGACY: {
    cause:
      'The archive was saved by a Docker older than 1.10: it has no manifest.json, and its layers have no digests.',
    remedy: 'Load it with `docker load` into a Docker that still takes it, and save it again.',
  },
  SOURCE_NAMES_MISSING: {
    cause: 'SOURCE names its images by tags alone, or not at all, so their repository is not known.',
    remedy: 'Name it with `--repository`, such as `--repository team/app`.',
  },
  SOURCE_TOO_LARGE: {
    cause: 'The backup names more tags, links and blobs than fit into the memory that Node gives to a program.',
    remedy: 'Give it more by `NODE_OPTIONS=--max-old-space-size=MEGABYTES`; no real registry has so many.',
  },
  MEMORY_FULL: {
    cause: 'What was read, or the report on it, does not fit into the memory that Node gives to a program.',
    remedy:
      'Take less at once with `--include`, or give it more by `NODE_OPTIONS=--max-old-space-size=MEGABYTES`; a file ' +
      'that was made to do harm needs more than any machine has.',
  },
  SOURCE_CHANGED: {
    cause: 'The backup was written to, cut or replaced while it was read.',
    remedy: 'Wait until the program that writes to it has ended, then run the command again.',
  },
  SOURCE_PART_MISSING: {
    cause: 'One of the numbered parts of a split backup is not beside the others.',
    remedy: 'Carry the named part over, and put all parts into one folder.',
  },
  VOLUME_MISSING: {
    cause: 'An image, or a layer that it needs, lies on a volume of the set that was not given.',
    remedy: 'Give that volume, too: as a further SOURCE, or in the folder with the others.',
  },
  SOURCE_UNREACHABLE: {
    cause:
      'The server that holds SOURCE does not answer, has a certificate that is not trusted, or keeps ' +
      'breaking off.',
    remedy: 'Check address, network and proxies; `--source-ca-file` names an authority of your own.',
  },
  SOURCE_DENIED: {
    cause: 'The server that holds SOURCE needs other credentials, or these may not read it.',
    remedy: 'Pass `--source-username` and `--source-password-file`; for `s3://`, the credentials of the environment.',
  },
  SOURCE_NO_RANGES: {
    cause:
      'The server sends whole files only, or compresses what it sends, so that no part of SOURCE can be read alone.',
    remedy: 'Serve it with byte ranges, or pipe it: `curl URL | regtar COMMAND -`.',
  },
  SOURCE_ROOTS: {
    cause: 'The backup holds several registry trees; they were read as one.',
    remedy: 'Nothing, if that was meant; otherwise pack one tree.',
  },
  TAR_CUT: {
    cause: 'The archive ends in the middle: a full disk, an aborted copy.',
    remedy: 'Compare size and checksum with the original and copy it again. What is whole can be used as it is.',
  },
  TAR_PADDING: {
    cause:
      'Many zeros follow the end of the archive: a large record size, a padded copy, or a copy that stopped early.',
    remedy: 'Nothing, where size or checksum are those of the original; otherwise copy it again.',
  },
  TAR_HEADER_INVALID: {
    cause: 'Bytes inside the archive are damaged; reading went on behind them.',
    remedy: 'Copy the backup again. `regtar verify` says which images are whole.',
  },
  TAR_LINK_INVALID: {
    cause: 'A link in the archive points outside of it, to nothing, or in a circle.',
    remedy: 'Pack the storage itself, without links to other places.',
  },
  TAR_SPARSE: { cause: 'A sparse member has a map that makes no sense.', remedy: 'Pack again, without `--sparse`.' },
  TAR_NAME_TOO_LONG: {
    cause: 'A name in the archive is longer than any registry writes; the member was skipped.',
    remedy: 'Nothing, unless an image is missing: then the archive is damaged there.',
  },
  INDEX_STALE: {
    cause: 'The saved index does not belong to this backup any more, or is damaged.',
    remedy: 'Nothing: the backup is scanned as if there were no index. `regtar index` makes a new one.',
  },

  LINK_INVALID: {
    cause: 'A link file does not hold exactly one digest.',
    remedy: 'Push the tag again in the source, or choose its image with `--at-digest`.',
  },
  LINK_RECOVERED: {
    cause: 'An empty link was recovered from its own path.',
    remedy: 'Nothing; the registry itself would fail there.',
  },
  TAG_NO_CURRENT: {
    cause: 'A tag has a folder and no current image: it is listed, and pulling it answers 404.',
    remedy: 'Choose one of its former images with `--at-digest`, or leave the tag behind.',
  },
  TAG_AMBIGUOUS: {
    cause: 'A tag lost its current link, and several images have had its name.',
    remedy: 'Look with `regtar inspect REF --history` and choose with `--at-digest`.',
  },
  TAG_REVISION_MISSING: {
    cause: 'The image of a tag was deleted in its repository; the bytes are still there.',
    remedy: 'It travels as it is. Leave it behind with `--exclude` if the deletion was meant.',
  },
  TAG_UNKNOWN: {
    cause: 'The backup has no such repository, tag or digest.',
    remedy: 'See what there is with `regtar list`.',
  },
  TIMES_UNUSABLE: {
    cause:
      'Tags should be chosen by time, but all times are equal or missing: the storage was copied without its ' +
      'times, or its images were built to be reproducible.',
    remedy: 'Choose by another clock with `--by`, or make the backup again with a tool that keeps times.',
  },
  NOTHING_SELECTED: {
    cause: 'No image was chosen: the globs match nothing, or the storage holds no tags, or no images at all.',
    remedy: 'See what there is with `regtar list`; storage without tags needs `--tag-map` or `--untagged`.',
  },
  TAG_CONFLICT: {
    cause: 'Two sources give the same tag to different images.',
    remedy:
      'The message says which one counts. Of archives of a registry it is the last: change their order. Otherwise ' +
      'read one source at a time.',
  },
  TAG_MAP_INVALID: {
    cause: 'The file of `--tag-map` cannot be understood.',
    remedy: "Give CSV (`repository,tag,digest`), the JSON of Harbor's artifact API, or a plain `pg_dump`.",
  },
  TAG_MAP_INCOMPLETE: {
    cause: "The tag map is a list of Harbor's artifacts without accessories, so the tags of signatures are not in it.",
    remedy:
      'Ask for the list with `?with_accessory=true`, or use a `pg_dump` of the tables, which has everything. ' +
      'Nothing is missing where no image is signed.',
  },
  TAG_MAP_UNKNOWN: {
    cause: 'The file of `--tag-map` names images that the backup does not hold.',
    remedy: 'Take map and storage from the same moment; the others travel.',
  },
  PATH_INVALID: {
    cause: 'A name in the backup climbs out of its folder by `..`; no registry writes such names.',
    remedy: 'Find out who made the backup: it was tampered with.',
  },
  REPOSITORY_INVALID: {
    cause: 'A repository has a name that registries do not allow.',
    remedy: 'Rename it with `--map`, or leave it behind.',
  },
  TAG_INVALID: {
    cause: 'A tag has a name that registries do not allow.',
    remedy: 'Give it a valid name in the source.',
  },
  DIGEST_INVALID: {
    cause: 'Something that should be a digest is not one.',
    remedy: 'Write `sha256:` and 64 small hexadecimal digits.',
  },
  LAYER_LINK_MISSING: {
    cause: 'A repository lacks the link to a blob of its image; the blob is there.',
    remedy: 'Nothing: the image travels. The source registry itself would answer 404.',
  },
  REVISION_LINK_MISSING: {
    cause: 'A repository lacks the link to a manifest of its image; the manifest is there.',
    remedy: 'Nothing: the image travels. The source registry itself would answer 404.',
  },
  BLOB_MISSING: {
    cause:
      'An image needs a blob that the backup does not hold: garbage collection, a cut backup, a delta ' +
      'without its base.',
    remedy: 'Run `regtar verify` for the whole list; back up again, or push those images again in the source.',
  },
  BLOB_CORRUPT: {
    cause: 'Bytes do not have the digest of their name: a bad disk, a damaged copy.',
    remedy: 'Copy the backup again; if the source is damaged too, push the image again there.',
  },
  BLOB_EMPTY: {
    cause: 'A blob has no bytes: the registry or its disk crashed while writing.',
    remedy: 'Push the images that need it again in the source.',
  },
  BLOB_UNREADABLE: {
    cause: 'The medium fails while a blob is read.',
    remedy: 'Copy the backup to another disk and run `regtar verify`.',
  },
  STORAGE_V1: {
    cause: 'Images of the registry before Distribution 2 are in the backup; they are not read.',
    remedy: 'Pull them with a Docker of that time and push them again.',
  },
  STORAGE_TARSUM: {
    cause: 'Layers named by tarsum are in the backup; no registry reads them any more.',
    remedy: 'Nothing.',
  },

  MANIFEST_INVALID: {
    cause: 'A manifest is not JSON, or lacks what its type needs.',
    remedy: 'Push the image again in the source.',
  },
  MANIFEST_TOO_LARGE: {
    cause: 'A manifest is larger than registries take (4 MiB).',
    remedy: 'Leave the image behind with `--exclude`.',
  },
  MANIFEST_CYCLE: {
    cause: 'An index contains itself, or nests deeper than any client follows.',
    remedy: 'Leave the image behind with `--exclude`.',
  },
  MANIFEST_UNSUPPORTED: {
    cause: 'The chosen format has no place for this kind of content: an artifact, a signature, an index.',
    remedy: 'Export with `--format oci`, `dir` or `registry`, or push it.',
  },
  SCHEMA1: {
    cause: "An image in Docker's first format, which nearly no registry takes any more.",
    remedy: 'Keep it with `--format dir` or `registry`, or pull and push it with a Docker older than version 26.',
  },
  CHILD_MISSING: {
    cause: 'A multi-arch image lacks the manifests of some platforms.',
    remedy: 'Take what is there with `--platform`, or keep the index as it is with `--sparse`.',
  },
  FOREIGN_LAYER: {
    cause: 'Layers of an image lie elsewhere by licence (Windows base images) and are not in a backup.',
    remedy: 'Nothing, if the target can reach their addresses.',
  },
  PLATFORM_UNAVAILABLE: {
    cause: 'An image has none of the platforms of `--platform`.',
    remedy: 'See what it has with `regtar inspect REF`, or exclude it.',
  },
  PLATFORM_AMBIGUOUS: {
    cause: 'The format holds one platform of an image, and none was chosen.',
    remedy: 'Say `--platform linux/amd64`, for example.',
  },

  OUTPUT_IS_SOURCE: {
    cause: 'OUT, or another file to write, is a SOURCE, lies inside one or holds one.',
    remedy: 'Choose another place. A link to SOURCE, or another name for it, is the same place.',
  },
  OUTPUT_FOREIGN: {
    cause: 'OUT exists and was not made by regtar; nothing in it was touched.',
    remedy: 'Choose another place, or empty it yourself.',
  },
  OUTPUT_BUSY: { cause: 'Another regtar writes to the same place.', remedy: 'Wait for it, or choose another place.' },
  OUTPUT_FULL: {
    cause: 'The disk is full, or the quota is used up.',
    remedy: 'Make room and run the same command again: it continues.',
  },
  OUTPUT_UNWRITABLE: {
    cause:
      'OUT cannot be written: permissions, a read-only or failing disk, a medium that is gone, a reader that left.',
    remedy: 'Check the folder and the mount; `export --resume` goes on with what is on the medium.',
  },
  OUTPUT_NAME: {
    cause: 'The file system does not take a name, often `:` on exFAT or NTFS.',
    remedy: 'Use `--path-style safe`, or write one archive.',
  },
  VOLUME_TOO_SMALL: {
    cause: 'Something is larger than the volumes of `--volume-size`: a layer, or the list of what lies on them.',
    remedy: 'Give a larger size, leave the image out, or let `--split-blobs` cut its volume into parts.',
  },
  OUTPUT_COLLISION: {
    cause: 'Two images would get the same name in the output.',
    remedy: 'Change `--map` or `--project` so that names stay apart.',
  },

  TARGET_UNREACHABLE: {
    cause: 'Nothing answers at the address: name, route, firewall, proxy.',
    remedy: 'Try `curl -v https://HOST/v2/`; check HTTPS_PROXY and NO_PROXY.',
  },
  TARGET_TLS: {
    cause: 'The certificate of the registry is not trusted, has another name or is out of date.',
    remedy: 'Give the authority with `--ca-file`; see `regtar help auth`.',
  },
  TARGET_TIMEOUT: {
    cause: 'A connection moved no byte for the time of `--stall-timeout`.',
    remedy: 'Run the same command again: it continues. Fewer `--jobs` help a slow line.',
  },
  TARGET_NOT_REGISTRY: {
    cause: 'Something answers at the address, but it is not a registry.',
    remedy: 'Check host and port; behind a proxy the path `/v2/` must reach the registry.',
  },
  TARGET_REFUSED: {
    cause: 'The registry refuses a request, or gives an answer that no registry gives.',
    remedy: 'Read its own words in the message, and its log.',
  },
  TARGET_UNAVAILABLE: {
    cause: 'The registry answers with errors of its own (5xx, 429), even after several attempts.',
    remedy: 'Look at its log and its storage; run the same command again: it continues.',
  },
  TARGET_DIFFERS: {
    cause: 'The registry has, or stored, other bytes than it should.',
    remedy: 'Look at what changes bytes on the way (proxies), then run again.',
  },
  TARGET_BLOB_MISSING: {
    cause: 'The target does not have a blob that an image needs, and `--in-place` sends nothing.',
    remedy:
      'With --in-place, add --storage: it writes the links that new names need. Otherwise push without --in-place.',
  },
  TARGET_BLOB_DAMAGED: {
    cause: 'A blob of the target is shorter than it should be, has other bytes, or has gone.',
    remedy: 'Push again with --repair --storage DIR: nothing else replaces a file of the target.',
  },
  STORAGE_FOREIGN: {
    cause: 'The folder of --storage is not the storage of a docker-registry or Harbor.',
    remedy: 'Name the folder that holds docker/registry/v2; other registries take images through the API.',
  },
  STORAGE_NOT_TARGET: {
    cause: 'The folder of --storage is the storage of another registry than TARGET.',
    remedy: 'Look for rootdirectory in the configuration of the registry, and name that folder as it is mounted here.',
  },
  GC_RUNNING: {
    cause: "Harbor's garbage collection is running, and may delete what is placed meanwhile.",
    remedy: 'Wait until it has ended, then run the same command again.',
  },
  AUTH_FAILED: {
    cause: 'The user name or password is wrong or missing.',
    remedy: "Log in again; write `'robot$name'` in single quotes. See `regtar help auth`.",
  },
  AUTH_DENIED: {
    cause: 'The account is known and may not do this.',
    remedy: 'Give it the right to push: in Harbor, Developer or more in that project.',
  },
  AUTH_TOKEN: {
    cause: "The registry's token service cannot be used.",
    remedy: 'Check the `realm` that the registry is configured with, and its certificate.',
  },
  CREDENTIALS_INVALID: {
    cause: 'A file of credentials cannot be understood, or a user name stands without a password.',
    remedy: 'Log in again with `docker login` or `podman login`, or use `--username` with `--password-stdin`.',
  },
  CREDENTIAL_HELPER: {
    cause: 'The program `docker-credential-NAME` that the configuration names fails.',
    remedy: 'Install it, or use `--username` with `--password-stdin`.',
  },
  PROJECT_MISSING: {
    cause: 'The Harbor project does not exist, and `--no-create-projects` forbids to create it.',
    remedy: 'Create it, or leave `--no-create-projects` out.',
  },
  PROJECT_NEEDED: {
    cause: 'A repository of one component has no project, and in Harbor every repository is in one.',
    remedy: 'Say `--project library`, for example, or push to `HOST/PROJECT`.',
  },
  PROJECT_INVALID: {
    cause: 'The first component of a name cannot be the name of a Harbor project.',
    remedy: 'Rename it with `--map`, or push to `HOST/PROJECT`.',
  },
  PROJECT_PROXY: {
    cause: 'The Harbor project is a proxy cache, which takes no pushes.',
    remedy: 'Choose another project.',
  },
  PROJECT_FORBIDDEN: {
    cause: 'The account may not push to, or not create, the Harbor project.',
    remedy: 'Let an administrator create it, or make the account a Developer of it.',
  },
  QUOTA_EXCEEDED: {
    cause: "The images need more room than the Harbor project's quota leaves.",
    remedy: 'Raise the quota, then run the same command again.',
  },
  READ_ONLY: {
    cause: 'The registry is in read-only mode: maintenance, garbage collection.',
    remedy: 'Wait, or switch it off, then run the same command again.',
  },
  TAG_IMMUTABLE: {
    cause: 'A rule of the Harbor project forbids that the tag gets another image.',
    remedy: 'Change the rule, use `--on-existing-tag skip`, or `--map` to another name.',
  },
  TAG_EXISTS: {
    cause: 'The tag points to a different image there, and `--on-existing-tag error` was asked for.',
    remedy: 'Use `--on-existing-tag overwrite` or `skip`.',
  },
  BODY_TOO_LARGE: {
    cause: 'A proxy before the registry limits the size of bodies (413).',
    remedy: 'Raise it (nginx: `client_max_body_size 0`), or use `--chunk-size 50MB`.',
  },
  STATE_INVALID: {
    cause: 'The file of `--state` cannot be read or written, or is another kind of file.',
    remedy: 'Name another one; only the progress within large blobs is lost.',
  },

  LISTEN_FAILED: {
    cause: 'The address of `--listen` cannot be used: another program listens there, or it is not one of this machine.',
    remedy: 'Choose another one with `--listen HOST:PORT`; port 0 takes a free one.',
  },
  LISTEN_INSECURE: {
    cause: 'Other machines can reach the address, but the answers would go over plain http.',
    remedy:
      'Give `--tls-cert` and `--tls-key`, or `--tls-self-signed`; or allow it with `--plain-http`, which ' +
      'does not go with `--htpasswd`.',
  },
  TLS_INVALID: {
    cause: 'The certificate and key of `--tls-cert` and `--tls-key`, or the folder of `--tls-dir`, cannot be used.',
    remedy: 'Name PEM files that belong together, or another folder; what is in a folder is never replaced.',
  },
  HTPASSWD_INVALID: {
    cause: 'A line of `--htpasswd` is not a user with a bcrypt hash, or there is none.',
    remedy: 'Make the file with `htpasswd -B -c FILE USER`.',
  },

  ENGINE_UNREACHABLE: {
    cause: 'No Docker or podman answers at the socket.',
    remedy: 'Start it, or name its socket with `--socket` or DOCKER_HOST.',
  },
  ENGINE_REFUSED: {
    cause: 'The engine did not take the images.',
    remedy: 'Read its own words in the message, often a full disk.',
  },
  SIGNATURE_INVALID: {
    cause:
      'With `--require-signature`, the report has no signature, or none that one of the given keys made over ' +
      'exactly this file.',
    remedy:
      'Get the report and its `.sig` or `.minisig` file again from the signer, unchanged; check that the right ' +
      'file of keys is named.',
  },
  IMAGE_UNSIGNED: {
    cause: 'Images to push are not in the signed report, or are there with another digest.',
    remedy:
      'Leave them out with `--images` or `--include`, or have a report signed that holds them. Nothing was pushed.',
  },
  REPORT_INVALID: {
    cause: 'A file that regtar wrote on the other side cannot be understood.',
    remedy: 'Carry it over again.',
  },

  INTERRUPTED: {
    cause: 'Ctrl-C, or a signal to end.',
    remedy: 'Run the same command again: what was finished stays valid.',
  },
  TOO_MANY_FILES: {
    cause: 'The system lets this program open no more files: its limit is low, or others hold too many.',
    remedy: 'Raise the limit, such as `ulimit -n 4096`, or give fewer `--jobs`.',
  },
  INTERNAL: {
    cause: 'A bug in regtar.',
    remedy: 'Run again with `-v` and report the output; it holds no passwords.',
  },
};
