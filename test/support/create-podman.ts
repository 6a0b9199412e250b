import { mkdirSync, writeFileSync } from 'node:fs';
import { run, type RunOptions, type RunResult } from './run.ts';
import { startProcess, type StartedProcess } from './start-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface Podman {
  /** Runs `podman …` on a store of its own. */
  podman(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Starts podman's API, which speaks Docker's too. @returns the path of its socket */
  serve(): Promise<string>;
  stop(): Promise<void>;
}

/** A podman with its own `vfs` store, locks and settings, so that nothing of the machine is read or changed. Needs root. */
export function createPodman(): Podman {
  const folder = temporaryFolder();
  mkdirSync(folder.file('tmp'));
  writeFileSync(
    folder.file('storage.conf'),
    `[storage]\ndriver = "vfs"\ngraphroot = "${folder.file('graph')}"\nrunroot = "${folder.file('run')}"\n`,
  );
  writeFileSync(
    folder.file('containers.conf'),
    [
      '[containers]',
      'netns = "none"',
      // podman asks for limits above the hard ones of a container that the tests may run in.
      'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]',
      '[engine]',
      'cgroup_manager = "cgroupfs"',
      'events_logger = "file"',
      // Locks in shared memory belong to every podman of the machine.
      'lock_type = "file"',
      'runtime = "runc"',
      // No static_dir: podman's clean-up process is not told of one, and each run would wait 20 seconds for it.
      `tmp_dir = "${folder.file('tmp')}"`,
      `volume_path = "${folder.file('volumes')}"`,
    ].join('\n'),
  );
  const environment = {
    CONTAINERS_CONF: folder.file('containers.conf'),
    CONTAINERS_STORAGE_CONF: folder.file('storage.conf'),
    TMPDIR: folder.file('tmp'),
    CONTAINER_HOST: undefined,
  };
  let service: StartedProcess | undefined;
  return {
    podman: (args, options = {}) => run('podman', args, { ...options, env: { ...environment, ...options.env } }),
    serve: async () => {
      const socket = folder.file('podman.sock');
      service ??= await startProcess('podman', ['system', 'service', '--time=0', `unix://${socket}`], {
        env: environment,
        ready: async () =>
          (await run('podman', ['--url', `unix://${socket}`, 'version'], { env: environment, allowFailure: true }))
            .code === 0,
      });
      return socket;
    },
    stop: async () => {
      await service?.stop();
      folder.remove();
    },
  };
}
