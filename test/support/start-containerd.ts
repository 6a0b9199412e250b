import { writeFileSync } from 'node:fs';
import { run, type RunOptions, type RunResult } from './run.ts';
import { startProcess } from './start-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface Containerd {
  readonly socket: string;
  /** Runs `ctr …` against this daemon in a namespace of the tests. */
  ctr(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** `ctr images import FILE` with a snapshotter that works everywhere. */
  importArchive(path: string, flags?: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs an imported image once. @param reference as `ctr images ls -q` prints it */
  runImage(reference: string, options?: RunOptions): Promise<RunResult>;
  stop(): Promise<void>;
}

/** Starts a containerd of its own, without the Kubernetes plugin and without networks. Needs root. */
export async function startContainerd(): Promise<Containerd> {
  const folder = temporaryFolder();
  const socket = folder.file('containerd.sock');
  writeFileSync(
    folder.file('config.toml'),
    [
      'version = 2',
      `root = "${folder.file('root')}"`,
      `state = "${folder.file('state')}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\naddress = "${socket}"`,
      `[ttrpc]\naddress = "${socket}.ttrpc"`,
    ].join('\n'),
  );
  const ctr = (args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    run('ctr', ['--address', socket, '--namespace', 'regtar', ...args], options);
  const server = await startProcess('containerd', ['--config', folder.file('config.toml')], {
    ready: async () => (await ctr(['version'], { allowFailure: true })).code === 0,
  });
  let containers = 0;
  return {
    socket,
    ctr,
    importArchive: (path, flags = [], options = {}) =>
      ctr(['images', 'import', '--snapshotter', 'native', ...flags, path], options),
    runImage: (reference, options = {}) => {
      containers += 1;
      return ctr(['run', '--rm', '--snapshotter', 'native', reference, `c${process.pid}-${containers}`], options);
    },
    stop: async () => {
      await server.stop();
      folder.remove();
    },
  };
}
