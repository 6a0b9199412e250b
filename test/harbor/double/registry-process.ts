import path from 'node:path';
import { startRegistry, type Registry } from '../../support/start-registry.ts';

/** The real registry behind the double, which can go down and come back on the same port. */
export interface RegistryProcess {
  readonly port: number;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts docker-registry as Harbor configures it: deletion on, schema 1 and foreign layers accepted.
 * @param storage its root directory
 */
export async function startRegistryProcess(storage: string): Promise<RegistryProcess> {
  const start = (port?: number): Promise<Registry> =>
    startRegistry({
      storage,
      delete: true,
      schema1: true,
      foreignLayers: true,
      ...(port === undefined ? {} : { port }),
    });
  let registry: Registry | undefined = await start();
  const { port } = registry;
  return {
    port,
    async start() {
      registry ??= await start(port);
    },
    async stop() {
      await registry?.stop();
      registry = undefined;
    },
  };
}

/** Where a registry of this storage keeps a blob's bytes. */
export function blobFile(storage: string, digest: string): string {
  const [algorithm = '', hex = ''] = digest.split(':');
  return path.join(storage, 'docker/registry/v2/blobs', algorithm, hex.slice(0, 2), hex, 'data');
}
