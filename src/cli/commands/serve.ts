import { hostname } from 'node:os';
import { createSecureContext } from 'node:tls';
import type { Catalog } from '../../content/contracts.ts';
import { RegtarError } from '../../errors.ts';
import { parseImageReference } from '../../oci/reference.ts';
import { createRenamer } from '../../select/names.ts';
import { selectCandidates } from '../../select/plan.ts';
import { nothingSelected } from '../../select/require-images.ts';
import { chosenCatalog, renameCatalog } from '../../select/shown-catalog.ts';
import { missingNames, unknownImage } from '../../select/unknown-image.ts';
import { unmatchedMaps } from '../../select/unmatched.ts';
import { checkBlobs } from '../../serve/checked-blobs.ts';
import { createRoutes } from '../../serve/routes.ts';
import { startServer, type RunningServer, type ServerTls } from '../../serve/server.ts';
import type { Context } from '../context.ts';
import { clientFiles } from '../../report/clients/client-files.ts';
import type { Client } from '../../report/clients/setup.ts';
import { formatHost, isEveryAddress, parseListen, type ListenAddress } from '../listen.ts';
import { renderClientFiles } from '../render/client-files.ts';
import { withBackup, type OpenedBackup } from '../open-backup.ts';
import { sourceOperands } from '../operands.ts';
import { formatError } from '../output.ts';
import { renderProblems } from '../render/problems.ts';
import { printable } from '../../io/printable.ts';
import { plural } from '../render/sizes.ts';
import {
  readSelection,
  readTextFile,
  settleSelection,
  tellReasons,
  type Selection,
  type SelectionOptions,
} from '../selection.ts';

/** Options of `regtar serve`. */
export interface ServeCommandOptions extends Omit<SelectionOptions, 'platform'> {
  /** `HOST:PORT`. */
  readonly listen?: string;
  readonly plainHttp?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly ns?: readonly string[];
  readonly printConfig?: Client;
  readonly map?: readonly string[];
  readonly project?: string;
}

/** `regtar serve [SOURCE…]`: the backup is a registry until somebody ends it. */
export async function serve(
  operands: readonly string[],
  options: ServeCommandOptions,
  context: Context,
): Promise<number> {
  const listen = parseListen(options.listen ?? '127.0.0.1:5000');
  const tls = await readTls(options);
  if (options.printConfig !== undefined)
    return printConfig(options.printConfig, listen, tls?.certificate !== undefined, options, context);
  const selection = await readSelection(options);
  return withBackup(sourceOperands(operands, options), options, context, async (opened) => {
    const { store } = opened;
    const catalog = await shownCatalog(opened, selection, options, context);
    const onDamage = (error: RegtarError): void => context.output.error(formatError(error, context.verbose));
    const blobs = checkBlobs(store, { onDamage });
    const routes = createRoutes({ catalog, store, blobs, namespaces: options.ns, onDamage: once(onDamage) });
    const server = await startServer({
      routes,
      blobs,
      listen,
      tls,
      plainHttp: options.plainHttp === true,
      onError: once(onDamage),
    });
    sayWhatIsServed(server, opened, catalog, context);
    await ended(context.signal);
    await server.stop();
    return 0;
  });
}

/** The file of a client for exactly this address. Nothing is edited. */
async function printConfig(
  client: Client,
  { host, port }: ListenAddress,
  isTls: boolean,
  options: ServeCommandOptions,
  context: Context,
): Promise<number> {
  const files = clientFiles(client, {
    registry: { host: formatHost(isEveryAddress(host) ? hostname() : host, port), scheme: isTls ? 'https' : 'http' },
    mirrors: (options.ns ?? []).map((from) => ({ from })),
  });
  if (context.json) context.output.json({ files });
  else {
    if (files.length === 1 && files[0] !== undefined) context.output.message(`for ${files[0].path}:`);
    context.output.line(renderClientFiles(files));
  }
  return 0;
}

/** @throws RegtarError USAGE */
async function readTls({ tlsCert, tlsKey }: ServeCommandOptions): Promise<ServerTls | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new RegtarError('USAGE', '--tls-cert and --tls-key belong together', {
      side: 'usage',
      hint: 'one file may be given for both',
    });
  const tls = { certificate: await readTextFile(tlsCert), key: await readTextFile(tlsKey) };
  try {
    createSecureContext({ cert: tls.certificate, key: tls.key });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RegtarError('USAGE', `${tlsCert} and ${tlsKey} are not a certificate and its key: ${reason}`, {
      side: 'usage',
      cause,
      hint: 'both are PEM files; the key must not have a passphrase',
    });
  }
  return tls;
}

/** What clients see: everything, or what was chosen, under the names that were asked for. */
async function shownCatalog(
  opened: OpenedBackup,
  selection: Selection,
  options: ServeCommandOptions,
  context: Context,
): Promise<Catalog> {
  const { catalog } = opened;
  const { graph, reasons, ...settled } = await settleSelection(selection, opened);
  const rename = createRenamer({ maps: options.map, project: options.project });
  const isChosen = selection.isNarrow;
  const candidates = isChosen ? [...selectCandidates(catalog, graph, settled)] : [];
  const shown = isChosen ? chosenCatalog(catalog, graph, candidates, rename) : renameCatalog(catalog, rename);
  for (const problem of renderProblems(shown.problems, context.verbose)) context.output.error(problem);
  for (const name of missingNames(catalog, settled.wanted ?? []))
    context.output.error(formatError(unknownImage(catalog, name, parseImageReference(name)), context.verbose));
  if (
    ![...shown.repositories()].some(
      (repository) => !isEmpty(shown.tags(repository)) || !isEmpty(shown.revisions(repository)),
    )
  )
    throw nothingSelected(catalog, reasons);
  tellReasons([...reasons, ...unmatchedMaps(catalog, options.map ?? [])], context);
  return shown;
}

function sayWhatIsServed(server: RunningServer, { backup }: OpenedBackup, catalog: Catalog, context: Context): void {
  const host = formatHost(isEveryAddress(server.address) ? hostname() : server.address, server.port);
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
  const url = `${server.scheme}://${host}`;
  if (context.json) context.output.json({ url, source: backup.describe, repositories, tags });
  context.output.message(
    `serving ${plural(tags, 'tag')} in ${plural(repositories, 'repository')} of ${printable(backup.describe)} at ${url}${
      example === undefined ? '' : `; try: docker pull ${host}/${example}`
    }`,
  );
}

async function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** A client that tries again and again must not fill the screen. */
function once(tell: (error: RegtarError) => void): (error: RegtarError) => void {
  const told = new Set<string>();
  return (error) => {
    if (told.has(error.message)) return;
    told.add(error.message);
    tell(error);
  };
}

function isEmpty(items: Iterable<unknown>): boolean {
  for (const _ of items) return false;
  return true;
}
