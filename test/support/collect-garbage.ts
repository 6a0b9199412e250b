import { writeFileSync } from 'node:fs';
import { peerCommand } from './peers.ts';
import { run } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

/**
 * What a registry's own garbage collection says that it would delete; nothing is deleted.
 * @param storage the folder above `docker/registry/v2`
 * @returns its standard output
 */
export async function collectGarbage(
  software: 'docker-registry' | 'distribution',
  storage: string,
  ...flags: readonly string[]
): Promise<string> {
  const folder = temporaryFolder();
  const config = folder.file('config.json');
  writeFileSync(
    config,
    JSON.stringify({
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: storage } },
      http: { addr: '127.0.0.1:0' },
    }),
  );
  try {
    return (await run(peerCommand(software), ['garbage-collect', '--dry-run', ...flags, config])).stdout;
  } finally {
    folder.remove();
  }
}
