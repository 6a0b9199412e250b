import { existsSync } from 'node:fs';
import type { Catalog } from '../../content/contracts.ts';
import { RegtarError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { clientFiles } from '../../report/clients/client-files.ts';
import type { ContainerClient } from '../../report/clients/setup.ts';
import { checkBlobs } from '../../serve/checked-blobs.ts';
import { createDoorkeeper, parseHtpasswd, type Doorkeeper } from '../../serve/htpasswd.ts';
import { createRoutes } from '../../serve/routes.ts';
import { startServer, type RunningServer } from '../../serve/server.ts';
import type { Context } from '../context.ts';
import { withBackup, type OpenedBackup } from '../open-backup.ts';
import { sourceOperands } from '../operands.ts';
import { printable } from '../../io/printable.ts';
import { mapped, repeatable } from '../../io/repeatable.ts';
import { renderClientFiles } from '../render/client-files.ts';
import { plural } from '../../io/sizes.ts';
import { readSelection, readTextFile } from '../selection.ts';
import { chooseListen, defaultListen, formatHost, parseListen } from '../serve/listen.ts';
import { renderServedPage } from '../serve/page.ts';
import { shownCatalog, type ShownOptions } from '../serve/shown.ts';
import { chooseTls, type ChosenTls, type ServerTlsOptions } from '../serve/tls.ts';
import { tellOnce, tellRequests } from '../serve/told.ts';

/** Options of `regtar serve`. */
export interface ServeCommandOptions extends ShownOptions, ServerTlsOptions {
  /** `HOST:PORT`. */
  readonly listen?: string;
  readonly plainHttp?: boolean;
  readonly htpasswd?: string;
  readonly ns?: readonly string[];
  readonly verify?: boolean;
  readonly printConfig?: ContainerClient;
}

/** `regtar serve [SOURCE]`: the backup is a registry until the command is ended. */
export async function serve(
  sources: readonly string[],
  options: ServeCommandOptions,
  context: Context,
): Promise<number> {
  const listen = chooseListen(options.listen, process.env, process.pid);
  if (options.printConfig !== undefined) refuseMissingFolder(options);
  const tls = await chooseTls(options, 'host' in listen ? listen.host : undefined, context);
  if (options.printConfig !== undefined) return printConfig(options.printConfig, tls, options, context);
  const doorkeeper = options.htpasswd === undefined ? undefined : await openDoor(options.htpasswd, context);
  const selection = await readSelection(options, context);
  return withBackup(sourceOperands(sources, options), options, context, async (opened) => {
    const { store } = opened;
    const catalog = await shownCatalog(opened, selection, options, context);
    const tell = tellOnce(context);
    const known = options.verify === true ? await hashAll(opened, catalog, context) : undefined;
    const blobs = checkBlobs(store, { known, onDamage: tell });
    let page: Promise<Uint8Array> | undefined;
    const routes = createRoutes({
      catalog,
      store,
      blobs,
      namespaces: options.ns,
      onDamage: tell,
      page: () => (page ??= makePage(host, opened, catalog, options, context)),
    });
    const server = await startServer({
      routes,
      blobs,
      listen,
      tls,
      doorkeeper,
      plainHttp: options.plainHttp === true,
      onError: tell,
      onRequest: tellRequests(context),
    });
    const host = formatHost(server.address, server.port, options.tlsName?.[0]);
    sayWhatIsServed(server, host, opened, catalog, context);
    if (tls?.authority !== undefined) sayAuthority(tls.authority, context);
    await ended(context.signal);
    await server.stop();
    return 0;
  });
}

/** Printing a client's files must not make a key. @throws RegtarError USAGE */
function refuseMissingFolder({ tlsDir }: ServeCommandOptions): void {
  if (tlsDir === undefined || existsSync(tlsDir)) return;
  throw new RegtarError('USAGE', `${tlsDir} holds no certificate yet`, {
    hint: 'start `regtar serve` with the same --tls-dir first: it makes one',
  });
}

/** The file of a client for exactly this address. Nothing is edited. */
function printConfig(
  client: ContainerClient,
  tls: ChosenTls | undefined,
  options: ServeCommandOptions,
  context: Context,
): number {
  const { host, port } = parseListen(options.listen ?? defaultListen);
  const files = clientFiles(client, {
    registry: {
      host: formatHost(host, port, options.tlsName?.[0]),
      scheme: tls === undefined ? 'http' : 'https',
      // A certificate that is made in memory differs each time.
      authority: options.tlsDir === undefined ? undefined : tls?.authority,
    },
    mirrors: (options.ns ?? []).map((from) => ({ from })),
  });
  if (tls?.authority !== undefined && options.tlsDir === undefined)
    context.output.message(
      'note: each start makes a new certificate, which clients must then trust; --tls-dir keeps one',
    );
  if (context.json) context.output.json({ files });
  else {
    if (files.length === 1 && files[0] !== undefined) context.output.message(`for ${files[0].path}:`);
    context.output.line(renderClientFiles(files));
  }
  return 0;
}

async function openDoor(path: string, context: Context): Promise<Doorkeeper> {
  const { compare } = (await import('bcryptjs')).default;
  return createDoorkeeper(parseHtpasswd(await readTextFile(path, context), path), { compare });
}

/** `--verify`: every blob is read before the first client. */
async function hashAll(
  { store }: OpenedBackup,
  catalog: Catalog,
  context: Context,
): Promise<Iterable<readonly [Digest, boolean]>> {
  const { hashBlobs } = await import('../../verify/hash-blobs.ts');
  const blobs = repeatable(() => catalog.blobs()[Symbol.iterator]());
  const damaged = new Set<Digest>();
  context.output.message(`hashing ${plural(countOf(blobs), 'blob')} before serving the first client`);
  const tell = tellOnce(context);
  await hashBlobs(store, blobs, {
    signal: context.signal,
    onDamage(digest, error) {
      damaged.add(digest);
      tell(error);
    },
  });
  return mapped(blobs, (digest) => [digest, !damaged.has(digest)] as const);
}

function countOf(items: Iterable<unknown>): number {
  const iterator = items[Symbol.iterator]();
  let count = 0;
  while (iterator.next().done !== true) count++;
  return count;
}

async function makePage(
  host: string,
  { backup, store }: OpenedBackup,
  catalog: Catalog,
  options: ServeCommandOptions,
  context: Context,
): Promise<Uint8Array> {
  const clientsLine = clientsLineOf(host, options);
  return renderServedPage({ backup, catalog, store, host, clientsLine, version: context.version });
}

/** The command line that prints the files that send clients to exactly this address. */
function clientsLineOf(host: string, options: ServeCommandOptions): string {
  const words = ['regtar', 'serve', '--listen', host];
  if (options.tlsSelfSigned === true) words.push('--tls-self-signed');
  if (options.tlsDir !== undefined) words.push('--tls-dir', options.tlsDir);
  if (options.tlsCert !== undefined) words.push('--tls-cert', options.tlsCert);
  if (options.tlsKey !== undefined) words.push('--tls-key', options.tlsKey);
  for (const name of options.ns ?? []) words.push('--ns', name);
  return [...words, '--print-config', 'containerd|k3s|podman|docker'].join(' ');
}

function sayWhatIsServed(
  server: RunningServer,
  host: string,
  { backup }: OpenedBackup,
  catalog: Catalog,
  { output, events, json }: Context,
): void {
  let tags = 0;
  let repositories = 0;
  let example: string | undefined;
  for (const repository of catalog.repositories()) {
    repositories++;
    for (const { tag } of catalog.tags(repository)) {
      tags++;
      example ??= `${repository}:${tag}`;
    }
  }
  const url = server.port === 0 ? server.address : `${server.scheme}://${host}`;
  const facts = { url, source: backup.describe, repositories, tags };
  if (json) output.json(facts);
  if (events !== undefined) events.write('listening', facts);
  else
    output.message(
      `serving ${plural(tags, 'tag')} in ${plural(repositories, 'repository')} of ${printable(backup.describe)} at ${url}${
        example === undefined ? '' : `; try: docker pull ${host}/${example}`
      }`,
    );
}

function sayAuthority(authority: string, { output }: Context): void {
  output.message('clients must trust this certificate:');
  output.message(authority.trimEnd());
}

async function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
