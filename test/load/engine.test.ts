import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixturePath } from '../support/fixture.ts';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startDockerd, type Dockerd } from '../support/start-dockerd.ts';

const regtar = new URL('../../bin/regtar.js', import.meta.url).pathname;
const load = (...args: readonly string[]) =>
  run(process.execPath, [regtar, 'load', fixturePath, '--no-progress', ...args], { allowFailure: true });

describeWith('dockerd', 'regtar load into docker', () => {
  let dockerd: Dockerd;
  beforeAll(async () => {
    dockerd = await startDockerd();
  });
  afterAll(async () => {
    await dockerd.stop();
  });

  it('gives images their names, and they run', async () => {
    const result = await load(
      '--socket',
      dockerd.host,
      '--include',
      'tools/hello:1.*',
      '--prefix',
      'harbor.example.com/p',
    );
    expect(result).toMatchObject({ code: 0 });
    const { stdout } = await dockerd.docker(['images', '--format', '{{.Repository}}:{{.Tag}}']);
    expect(stdout.trim().split('\n').sort()).toEqual([
      'harbor.example.com/p/tools/hello:1.0',
      'harbor.example.com/p/tools/hello:1.1',
    ]);
    const ran = await dockerd.docker(['run', '--rm', '--network', 'none', 'harbor.example.com/p/tools/hello:1.1']);
    expect(ran.stdout).toMatch(/hello/i);
  });

  it('says what is wrong when the socket is not an engine', async () => {
    const result = await load('--socket', 'unix:///nonexistent/docker.sock', '--include', 'tools/hello:1.1');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('ENGINE_UNREACHABLE');
  });
});

describeWith('podman', 'regtar load into podman', () => {
  let podman: Podman;
  beforeAll(() => {
    podman = createPodman();
  });
  afterAll(async () => {
    await podman.stop();
  });

  it('takes the same request on its compatible socket', async () => {
    const socket = await podman.serve();
    const result = await load('--socket', socket, '--include', 'tools/hello:1.1', '--prefix', 'harbor.example.com/p');
    expect(result).toMatchObject({ code: 0 });
    const { stdout } = await podman.podman(['images', '--format', '{{.Repository}}:{{.Tag}}']);
    expect(stdout).toContain('harbor.example.com/p/tools/hello:1.1');
  });
});
