import { actionsOn, isAdmin, type Action } from './access.ts';
import { Refusal, send, sendJson } from './answers.ts';
import { serveBlob, serveUpload, serveUploads } from './blobs.ts';
import type { Exchange } from './exchange.ts';
import { forward, type Upstream } from './forward.ts';
import { isLoggedIn } from './identity.ts';
import { serveManifest } from './manifests.ts';
import { parseRegistryPath, longestRepository, type RegistryPath } from './paths.ts';
import { serveReferrers } from './referrers.ts';
import { serveCatalog, serveTags } from './tags.ts';
import { projectName, projectOf } from './world.ts';

/** One thing that a request needs to be allowed. */
interface Need {
  readonly repository: string;
  readonly action: Action;
}

const versionHeader = { 'Docker-Distribution-Api-Version': 'registry/2.0' };

/** Everything below `/v2/`: who may, then what the registry or Harbor itself answers. */
export async function serveRegistry(upstream: Upstream, exchange: Exchange, publicUrl: string): Promise<void> {
  const target = parseRegistryPath(exchange.path);
  const needs = needsOf(exchange, target);
  checkAccess(exchange, target, needs, publicUrl);
  if ('repository' in target && tooLong(target.repository)) {
    sendJson(exchange.response, 500, {}, { ...versionHeader, 'Content-Type': 'application/json; charset=utf-8' });
    return;
  }
  if ('repository' in target && exchange.method !== 'GET' && exchange.method !== 'HEAD' && exchange.method !== 'DELETE')
    refuseProxyProject(exchange, target.repository);
  switch (target.kind) {
    case 'base':
      await forward(upstream, exchange);
      return;
    case 'catalog':
      serveCatalog(exchange);
      return;
    case 'tags':
      serveTags(exchange, target.repository);
      return;
    case 'referrers':
      serveReferrers(exchange, target.repository, target.reference);
      return;
    case 'manifest':
      await serveManifest(upstream, exchange, target.repository, target.reference);
      return;
    case 'uploads':
      await serveUploads(upstream, exchange, target.repository);
      return;
    case 'upload':
      await serveUpload(upstream, exchange, target.repository, target.reference);
      return;
    case 'blob':
      await serveBlob(upstream, exchange, target.repository, target.reference);
      return;
    case 'unknown':
      send(exchange.response, 404, '');
  }
}

function needsOf(exchange: Exchange, target: RegistryPath): Need[] {
  if (!('repository' in target)) return [];
  const action =
    exchange.method === 'DELETE' ? 'delete' : exchange.method === 'GET' || exchange.method === 'HEAD' ? 'pull' : 'push';
  const from = exchange.query.get('from');
  const mounting = target.kind === 'uploads' && exchange.query.has('mount') && from !== null;
  return [
    { repository: target.repository, action },
    ...(mounting ? [{ repository: from, action: 'pull' } as const] : []),
  ];
}

function checkAccess(exchange: Exchange, target: RegistryPath, needs: readonly Need[], publicUrl: string): void {
  const { caller, world } = exchange;
  const challenge = (): string => challengeFor(exchange, target, needs, publicUrl);
  if (target.kind === 'unknown') throw unauthorized(`un-recognized request: ${exchange.method} ${exchange.path}`, '');
  if (target.kind === 'base' && !isLoggedIn(caller)) throw unauthorized('unauthorized', challenge());
  if (target.kind === 'catalog' && !isAdmin(caller)) throw unauthorized('unauthorized to list catalog', challenge());
  for (const [index, { repository, action }] of needs.entries()) {
    if (exchange.request.headers.authorization === undefined && action === 'pull' && index === 0)
      throw unauthorized('authorize header needed to send HEAD to repository', challenge());
    const project = projectOf(world, repository);
    if (project === undefined) {
      const first = needs[0];
      // A token that names a project which is not there is worth nothing at all.
      if (index > 0 && caller.kind === 'token' && first !== undefined)
        throw unauthorized(
          `unauthorized to access repository: ${first.repository}, action: ${first.action}`,
          challenge(),
        );
      throw unauthorized(`project ${projectName(repository)} not found`, '');
    }
    if (!actionsOn(caller, project).has(action))
      throw unauthorized(`unauthorized to access repository: ${repository}, action: ${action}`, challenge());
  }
}

/** The Bearer challenge is for those who sent no credentials; everybody else, and the catalog, gets Basic. */
function challengeFor(exchange: Exchange, target: RegistryPath, needs: readonly Need[], publicUrl: string): string {
  if (exchange.request.headers.authorization !== undefined || target.kind === 'catalog') return 'Basic realm="harbor"';
  const scopes = needs
    .map(({ repository, action }) => `repository:${repository}:${action === 'push' ? 'pull,push' : action}`)
    .join(' ');
  return `Bearer realm="${publicUrl}/service/token",service="harbor-registry"${scopes === '' ? '' : `,scope="${scopes}"`}`;
}

function unauthorized(reason: string, challenge: string): Refusal {
  // Harbor wraps the reason in itself.
  return new Refusal(401, 'UNAUTHORIZED', `${reason}: ${reason}`, { ...versionHeader, 'Www-Authenticate': challenge });
}

function refuseProxyProject(exchange: Exchange, repository: string): void {
  const project = projectOf(exchange.world, repository);
  if (project?.registryId !== undefined)
    throw new Refusal(403, 'DENIED', `denied: can not push artifact to a proxy project: ${project.name}`);
}

function tooLong(repository: string): boolean {
  // Above 255 the registry itself refuses, in other words.
  return repository.length > longestRepository && repository.length <= 255;
}
