import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, type RunOptions, type RunResult } from './run.ts';
import { startProcess } from './start-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface Dockerd {
  /** Path of its socket. */
  readonly socket: string;
  /** `unix://` and the socket, as DOCKER_HOST wants it. */
  readonly host: string;
  /** Runs `docker …` against this daemon. */
  docker(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  stop(): Promise<void>;
}

/**
 * Starts a docker daemon of its own: no bridge, no iptables, classic `vfs` store. Containers need `--network none`. Needs root.
 * @param options settings: a `daemon.json`
 */
export async function startDockerd(options: { readonly settings?: string } = {}): Promise<Dockerd> {
  const folder = temporaryFolder();
  const socket = folder.file('docker.sock');
  const host = `unix://${socket}`;
  const environment = { DOCKER_HOST: host, DOCKER_CONTEXT: undefined, DOCKER_CONFIG: folder.file('client') };
  const docker = (args: readonly string[], runOptions: RunOptions = {}): Promise<RunResult> =>
    run('docker', args, { ...runOptions, env: { ...environment, ...runOptions.env } });
  // Without one of its own it would read the machine's.
  writeFileSync(folder.file('daemon.json'), options.settings ?? '{}');

  const flags = [
    '--data-root',
    folder.file('data'),
    '--exec-root',
    folder.file('exec'),
    '-H',
    host,
    '--pidfile',
    folder.file('docker.pid'),
    '--config-file',
    folder.file('daemon.json'),
  ];
  const server = await startProcess(
    'dockerd',
    [...flags, '--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver=vfs'],
    {
      ready: async () => (await docker(['version'], { allowFailure: true })).code === 0,
    },
  );
  return {
    socket,
    host,
    docker,
    stop: async () => {
      await server.stop();
      await endContainerd(folder.file('exec', 'containerd', 'containerd.pid'));
      folder.remove();
    },
  };
}

/** The daemon ends its containerd itself, unless it had to be killed. */
async function endContainerd(pidFile: string): Promise<void> {
  try {
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
    await sleep(500);
  } catch {
    // Neither the file nor the process is there any more.
  }
}
