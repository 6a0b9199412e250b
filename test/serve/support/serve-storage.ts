import { writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { onTestFinished } from 'vitest';
import type { RegtarError } from '../../../src/errors.ts';
import { checkBlobs } from '../../../src/serve/checked-blobs.ts';
import { createRoutes, type RoutesOptions } from '../../../src/serve/routes.ts';
import { startServer, type RunningServer, type ServeOptions } from '../../../src/serve/server.ts';
import { createGraphReader } from '../../../src/content/image-graph.ts';
import { readCatalog } from '../../../src/formats/registry/catalog.ts';
import { openContentStore } from '../../../src/formats/content-store.ts';
import { openSource } from '../../../src/source/open-source.ts';
import type { OpenedStorage } from '../../support/open-storage.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import type { BuiltStorage } from '../../support/storage-output.ts';

export interface ServedStorage {
  readonly opened: OpenedStorage;
  readonly server: RunningServer;
  readonly url: string;
  /** What the server told, damage first seen included. */
  readonly told: readonly RegtarError[];
}

/** Packs a storage that a test built and opens the archive. @returns `close`, for `afterAll` or `onTestFinished` */
export async function openStorage(
  storage: Pick<BuiltStorage, 'tar'>,
): Promise<OpenedStorage & { readonly close: () => Promise<void> }> {
  const folder = temporaryFolder();
  const path = folder.file('docker.tar');
  writeFileSync(path, storage.tar());
  const backup = await openSource([path]);
  const catalog = await readCatalog(backup);
  const store = openContentStore(backup, catalog);
  const close = async (): Promise<void> => {
    await backup.close();
    folder.remove();
  };
  return { backup, catalog, store, graph: createGraphReader(store), path, close };
}

/** Serves a storage that a test built, in this process. @returns `stop`, for `afterAll` */
export async function startStorage(
  storage: Pick<BuiltStorage, 'tar'>,
  options: Partial<Pick<RoutesOptions, 'namespaces' | 'page'>> & Partial<ServeOptions> = {},
): Promise<ServedStorage & { readonly stop: () => Promise<void> }> {
  const opened = await openStorage(storage);
  const told: RegtarError[] = [];
  const tell = (error: RegtarError): void => void told.push(error);
  const blobs = checkBlobs(opened.store, { onDamage: tell });
  const routes = createRoutes({ ...opened, blobs, onDamage: tell, namespaces: options.namespaces, page: options.page });
  const server = await startServer({
    routes,
    blobs,
    listen: { host: '127.0.0.1', port: 0 },
    onError: tell,
    ...options,
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await opened.close();
  };
  return { opened, server, told, url: `http://127.0.0.1:${server.port}`, stop };
}

/** The same for one test: it ends with it. */
export async function serveStorage(...args: Parameters<typeof startStorage>): Promise<ServedStorage> {
  const served = await startStorage(...args);
  onTestFinished(() => served.stop());
  return served;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Asks with the path exactly as it is written. @throws Error where the connection breaks before the answer's end */
export function ask(
  url: string,
  path: string,
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.once('error', reject);
    request.end();
  });
}
