/**
 * A command line that works as it stands: `--help` and the manual show it, and a test runs it in order, beside a
 * `docker.tar`.
 */
export interface Example {
  readonly about: string;
  readonly run: string;
}

/** By the command's full name. */
export const examples: Readonly<Record<string, readonly Example[]>> = {
  inspect: [
    { about: 'docker.tar in the working directory, at a glance', run: 'regtar inspect' },
    { about: 'One image: platforms, config, layers', run: 'regtar inspect docker.tar team/app/web:2.0' },
    { about: 'The tags of a repository', run: 'regtar inspect docker.tar tools/hello' },
    { about: 'What garbage collection would find', run: 'regtar inspect docker.tar --unreferenced' },
    { about: 'What a selection would keep', run: "regtar inspect docker.tar --include 'team/**'" },
    { about: 'Every image that a tag pointed to', run: 'regtar inspect docker.tar tools/hello:latest --history' },
  ],
  list: [
    { about: 'Every image, as the images.list that people already use', run: 'regtar list docker.tar > images.list' },
    { about: 'Images of one team, for programs', run: "regtar list docker.tar --include 'team/**' --json" },
    { about: 'Versions in a range', run: "regtar list docker.tar --semver '>=1.0 <2'" },
    { about: 'From standard input', run: 'gzip -c docker.tar | regtar list -' },
  ],
  verify: [
    { about: 'Before it travels', run: 'regtar verify docker.tar' },
    { about: 'Links and sizes only', run: 'regtar verify docker.tar --quick' },
  ],
  push: [
    { about: 'Everything', run: 'regtar push docker.tar harbor.example.com' },
    { about: 'See first what would happen', run: 'regtar push docker.tar harbor.example.com --dry-run' },
    {
      about: 'With a report that the other side can check',
      run: 'regtar push docker.tar harbor.example.com --report report.json',
    },
    {
      about: 'One team, below another project',
      run: "regtar push docker.tar harbor.example.com/migrated --include 'team/**'",
    },
    {
      about: 'Repositories of one component into a project, and a rename',
      run: "regtar push docker.tar harbor.example.com --project library --map 'tools/*=infra/*'",
    },
    {
      about: 'On the host of Harbor: layers as files into its storage, manifests through the API',
      run: 'regtar push docker.tar harbor.example.com/adopted --storage /data/registry',
    },
    {
      about: 'The first of two machines that share the work',
      run: 'regtar push docker.tar harbor.example.com --shard 1/2 --report shard-1.json',
    },
    { about: 'The second', run: 'regtar push docker.tar harbor.example.com --shard 2/2 --report shard-2.json' },
  ],
  'report merge': [
    {
      about: 'The reports of two machines as one page',
      run: 'regtar report merge shard-1.json shard-2.json --output report.html',
    },
  ],
  export: [
    { about: 'An OCI layout', run: 'regtar export docker.tar ./oci' },
    { about: 'Folders for skopeo sync', run: 'regtar export docker.tar ./dir --format dir' },
    {
      about: 'For docker load, on machines of one kind',
      run: 'regtar export docker.tar images.tar --format docker-archive --platform linux/amd64',
    },
    {
      about: 'The storage of a registry, with some images only',
      run: "regtar export docker.tar ./registry --format registry --include 'library/*'",
    },
    {
      about: 'For media of a fixed size, a set of archives',
      run: 'regtar export docker.tar ./discs --format registry --volume-size 4.4G',
    },
  ],
  index: [
    { about: 'Beside docker.tar, where every later command finds it', run: 'regtar index docker.tar' },
    {
      about: 'Elsewhere, where the medium cannot be written',
      run: 'regtar index docker.tar --index-file ./docker.regtar-index',
    },
    { about: 'A later look', run: 'regtar inspect docker.tar --index-file ./docker.regtar-index' },
  ],
  load: [
    {
      about: 'Some images into the docker or podman of this machine',
      run: "regtar load docker.tar --include 'tools/**' --platform linux/amd64",
    },
    {
      about: 'Under the names that a registry gives them',
      run: "regtar load docker.tar --include 'tools/hello:1*' --platform linux/amd64 --prefix registry.example.com",
    },
  ],
  serve: [
    { about: 'Everything, for this machine', run: 'regtar serve docker.tar' },
    {
      about: 'One team, on a port of its own',
      run: "regtar serve docker.tar --include 'team/**' --listen 127.0.0.1:5001",
    },
    {
      about: 'What k3s needs to pull from it instead of docker.io',
      run: 'regtar serve --ns docker.io --print-config k3s',
    },
  ],
  mirrors: [
    {
      about: 'Old names on k3s and RKE2 nodes',
      run: 'regtar mirrors docker.tar harbor.example.com/migrated --for k3s --from registry.example.com:5000',
    },
    {
      about: 'Old and new names, of what a push brought',
      run: 'regtar mirrors --report report.json --for table',
    },
  ],
  check: [
    {
      about: 'What arrived, against the report',
      run: 'regtar check harbor.example.com --report report.json',
    },
    { about: 'A layout on a disk, every byte', run: 'regtar check ./oci --report report.json --deep' },
  ],
  diff: [{ about: 'What a second export would carry', run: 'regtar diff docker-monday.tar docker.tar' }],
  'config check': [
    { about: 'What regtar.yaml and the environment say', run: 'regtar config check' },
    { about: 'For push, from a named file', run: 'regtar config check push --config migration.yaml' },
  ],
  completion: [
    { about: 'For the current shell', run: 'source <(regtar completion bash)' },
    { about: 'Permanently', run: 'regtar completion bash > regtar.bash' },
  ],
  help: [
    { about: 'About a topic', run: 'regtar help formats' },
    { about: 'About an error', run: 'regtar help BLOB_MISSING' },
    { about: 'The manual', run: 'regtar help --man > regtar.1' },
  ],
};
