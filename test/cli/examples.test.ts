import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/declare/program.ts';
import { commandName, runnableCommands } from '../../src/cli/help/command-names.ts';
import { examples } from '../../src/cli/help/examples.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { listRegistry } from '../support/read-registry.ts';
import { startDockerd, type Dockerd } from '../support/start-dockerd.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { regtarDone } from '../e2e/support/regtar.ts';
import { typed } from './support/shell.ts';

const commands = runnableCommands(createProgram('0.0.0', async () => Promise.resolve())).map(commandName);

describe('every command', () => {
  it('has examples, and no examples are of commands that are gone', () => {
    expect(Object.keys(examples).sort()).toEqual([...commands].sort());
  });

  it.each(commands)('regtar %s --help shows them', async (name) => {
    const { stdout } = await regtarDone([...name.split(' '), '--help']);
    for (const { run, about } of examples[name] ?? []) expect(stdout).toContain(`  # ${about}\n  ${run}\n`);
  });
});

describeWith('docker-registry', 'examples do what they say', () => {
  const here = temporaryFolder();
  let registry: Registry;
  const inOrder = Object.entries(examples)
    .filter(([name]) => name !== 'load' && name !== 'serve')
    .flatMap(([, lines]) => lines.map(({ run }) => run));
  beforeAll(async () => {
    registry = await startRegistry();
    copyFileSync(fixturePath, here.file('docker.tar'));
    copyFileSync(fixturePath, here.file('docker-monday.tar'));
    writeFileSync(here.file('migration.yaml'), 'source: docker.tar\njobs: 4\n');
  });
  afterAll(async () => {
    await registry.stop();
    here.remove();
  });

  it.each(inOrder)('%s', async (line) => {
    const { stdout, stderr } = await typed(
      line.replaceAll('harbor.example.com', registry.host).replaceAll('/data/registry', registry.storage),
      { cwd: here.path },
    );
    // Where a file takes the output, it is not empty; else something is said.
    const file = / > (\S+)$/.exec(line)?.[1];
    expect(file === undefined ? stdout + stderr : readFileSync(here.file(file), 'utf8')).not.toBe(
      line.startsWith('source ') ? undefined : '',
    );
  });

  it('the registry then holds what the backup holds, and the renamed besides', async () => {
    const tags = (await listRegistry(registry)).map(({ repository, tag, digest }) => `${repository}:${tag} ${digest}`);
    expect(tags).toEqual(
      expect.arrayContaining(expected.tags.map(({ repository, tag, digest }) => `${repository}:${tag} ${digest}`)),
    );
    for (const prefix of ['migrated/team/', 'infra/hello:', 'library/base:'])
      expect(tags.filter((tag) => tag.startsWith(prefix))).not.toEqual([]);
  });

  it('and the folder holds what the exports wrote', () => {
    for (const name of [
      'images.list',
      'oci/index.json',
      'dir',
      'images.tar',
      'registry/docker/registry/v2/blobs',
      'regtar.1',
      'regtar.bash',
    ])
      expect(existsSync(here.file(name)), name).toBe(true);
  });
});

describeWith('dockerd', 'examples of load do what they say', () => {
  const here = temporaryFolder();
  let dockerd: Dockerd;
  beforeAll(async () => {
    dockerd = await startDockerd();
    copyFileSync(fixturePath, here.file('docker.tar'));
  });
  afterAll(async () => {
    await dockerd.stop();
    here.remove();
  });

  it.each((examples['load'] ?? []).map(({ run }) => run))('%s', async (line) => {
    await typed(line, { cwd: here.path, env: { DOCKER_HOST: dockerd.host } });
    const names = (await dockerd.docker(['images', '--format', '{{.Repository}}:{{.Tag}}'])).stdout;
    expect(names.split('\n')).toContain(
      line.includes('--prefix') ? 'registry.example.com/tools/hello:1.0' : 'tools/hello:1.0',
    );
  });

  it('what docker cannot unpack is said in its own words', async () => {
    const { code, stderr } = await typed("regtar load docker.tar --include 'base/extra'", {
      cwd: here.path,
      env: { DOCKER_HOST: dockerd.host },
      allowFailure: true,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^regtar: ENGINE_REFUSED: the engine at unix:.* did not load the images: .+\nhint: ./m);
  });
});
