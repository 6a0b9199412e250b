import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Refusal, send, sendJson } from './answers.ts';
import { isReadable } from './config-rules.ts';
import { isObject, readBody, type Exchange } from './exchange.ts';
import { ask, forward, relay, type Upstream } from './forward.ts';
import {
  artifactKind,
  isManifestType,
  manifestLimitBytes,
  readManifest,
  type ManifestFacts,
} from './manifest-rules.ts';
import { checkReference, isDigest } from './paths.ts';
import { reserve } from './quota.ts';
import { blobFile } from './registry-process.ts';
import { isImmutable, nextId, projectOf, repositoryOf, type Artifact, type Repository, type World } from './world.ts';

/** Every type that the registry stores, so that it hands out what it has whatever the client accepts. */
const everyType = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  '*/*',
].join(', ');

/** HEAD, GET, PUT and DELETE of `…/manifests/<reference>`. */
export async function serveManifest(
  upstream: Upstream,
  exchange: Exchange,
  repository: string,
  reference: string,
): Promise<void> {
  // A body that is too large is refused first, whatever the tag is called.
  if (exchange.method !== 'PUT' && exchange.method !== 'DELETE') checkReference(reference);
  switch (exchange.method) {
    case 'PUT':
      await putManifest(upstream, exchange, repository, reference);
      return;
    case 'DELETE':
      await deleteManifest(upstream, exchange, repository, reference);
      return;
    default:
      await forward(upstream, exchange, {
        path: manifestPath(repository, findDigest(exchange.world, repository, reference)),
        headers: { accept: everyType },
      });
  }
}

async function putManifest(upstream: Upstream, exchange: Exchange, name: string, reference: string): Promise<void> {
  const { world, response } = exchange;
  const project = projectOf(world, name);
  if (project === undefined) throw new Refusal(404, 'NOT_FOUND', `repository ${name} not found`);
  const body = await readBody(exchange.request, manifestLimitBytes);
  if (body === undefined) {
    sendJson(
      response,
      400,
      { errors: [{ code: 'MANIFEST_INVALID', message: 'manifest invalid', detail: 'http: request body too large' }] },
      { 'Content-Type': 'application/json; charset=utf-8', 'Docker-Distribution-Api-Version': 'registry/2.0' },
    );
    return;
  }
  checkReference(reference);
  const contentType = exchange.request.headers['content-type'];
  const facts = readManifest(contentType, body);
  const tag = isDigest(reference) ? undefined : reference;
  if (tag !== undefined && isImmutable(project, name, tag) && repositoryOf(world, name)?.tags.has(tag)) {
    throw new Refusal(
      412,
      'PRECONDITION',
      `Failed to process request due to '${name.slice(project.name.length + 1)}:${tag}' configured as immutable.`,
    );
  }
  const pushedDigest = tag === undefined ? reference : `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const named = [
    { digest: pushedDigest, bytes: body.length },
    ...[...facts.layers, ...(facts.config === undefined ? [] : [facts.config])].map(({ digest: blob, size }) => ({
      digest: blob,
      bytes: size,
    })),
  ];
  // What one manifest counts in two repositories at once was not measured: here it counts once.
  const rowless = new Set(
    named.map(({ digest: each }) => each).filter((each) => each !== pushedDigest && !world.rows.has(each)),
  );
  const settle = reserve(project, named, (each) => rowless.has(each));
  // What has no row is counted once for each time that the manifest names it.
  const again = named.filter(
    ({ digest: each }, index) =>
      rowless.has(each) &&
      !project.counted.has(each) &&
      named.findIndex(({ digest: other }) => other === each) !== index,
  );
  const answer = await ask(upstream, exchange, {
    method: 'PUT',
    path: manifestPath(name, rewritesTags(world) ? pushedDigest : reference),
    headers: contentType === undefined ? {} : { 'content-type': contentType },
    body,
  });
  const layer = facts.children.find(({ mediaType }) => mediaType !== '' && !isManifestType(mediaType));
  settle(answer?.status === 201 && layer === undefined);
  // The registry takes an index of layers; the core then looks for an artifact behind each entry.
  if (answer?.status === 201 && layer !== undefined)
    throw new Refusal(404, 'NOT_FOUND', `artifact ${name}@${layer.digest} not found`);
  if (answer?.status !== 201) {
    relay(exchange, answer);
    return;
  }
  const digest = answer.headers['docker-content-digest']?.toString() ?? pushedDigest;
  const config = await readConfig(world, facts);
  if (config === 'unreadable') throw new Refusal(500, 'UNKNOWN', 'internal server error');
  for (const { digest: each } of named) world.rows.add(each);
  for (const { bytes: each } of again) project.used += each;
  record(world, name, { digest, facts, bytes: body.length, config, tag });
  send(response, 201, '', {
    'Docker-Content-Digest': digest,
    'Docker-Distribution-Api-Version': 'registry/2.0',
    Location: answer.headers.location ?? '',
    ...(facts.subject === undefined ? {} : { 'OCI-Subject': facts.subject }),
  });
}

async function deleteManifest(upstream: Upstream, exchange: Exchange, name: string, reference: string): Promise<void> {
  if (!isDigest(reference))
    throw new Refusal(400, 'UNSUPPORTED', `unsupported digest ${reference}: invalid checksum digest format`);
  const digest = findDigest(exchange.world, name, reference);
  const repository = repositoryOf(exchange.world, name);
  const project = projectOf(exchange.world, name);
  for (const [tag, { digest: tagged }] of repository?.tags ?? []) {
    if (tagged !== digest) continue;
    if (project !== undefined && isImmutable(project, name, tag))
      throw new Refusal(412, 'PRECONDITION', `the tag ${tag} configured as immutable, cannot be deleted`);
  }
  await ask(upstream, exchange, { method: 'DELETE', path: manifestPath(name, digest), headers: {} });
  repository?.artifacts.delete(digest);
  for (const [tag, { digest: tagged }] of [...(repository?.tags ?? [])])
    if (tagged === digest) repository?.tags.delete(tag);
  send(exchange.response, 202, '', { 'Docker-Distribution-Api-Version': 'registry/2.0' });
}

/** @throws Refusal 404 when there is no such repository, tag or digest */
function findDigest(world: World, name: string, reference: string): string {
  const repository = repositoryOf(world, name);
  if (repository === undefined) throw new Refusal(404, 'NOT_FOUND', `repository ${name} not found`);
  const digest = isDigest(reference) ? reference : repository.tags.get(reference)?.digest;
  if (digest === undefined || !repository.artifacts.has(digest))
    throw new Refusal(404, 'NOT_FOUND', `artifact ${name}${isDigest(reference) ? '@' : ':'}${reference} not found`);
  return digest;
}

/**
 * From 2.15 on a push by tag reaches the registry as a push by the digest of the raw bytes, which signed schema 1 cannot survive.
 * That older ones leave the tag is known from their source alone.
 */
function rewritesTags(world: World): boolean {
  const [major = 0, minor = 0] = world.settings.version.replace(/^v/, '').split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 15);
}

/** @returns 'unreadable' for what Harbor answers with 500 */
async function readConfig(
  world: World,
  facts: ManifestFacts,
): Promise<Record<string, unknown> | 'unreadable' | undefined> {
  if (facts.config === undefined) return undefined;
  const bytes = await readFile(blobFile(world.registryStorage, facts.config.digest));
  if (!isReadable(facts, bytes)) return 'unreadable';
  try {
    const config: unknown = JSON.parse(bytes.toString());
    return isObject(config) ? config : undefined;
  } catch {
    return undefined;
  }
}

function record(
  world: World,
  name: string,
  pushed: {
    digest: string;
    facts: ManifestFacts;
    bytes: number;
    config: Record<string, unknown> | undefined;
    tag: string | undefined;
  },
): void {
  const repository = repositoryOf(world, name) ?? addRepository(world, name);
  if (!repository.artifacts.has(pushed.digest))
    repository.artifacts.set(pushed.digest, newArtifact(world, repository, pushed));
  const artifact = repository.artifacts.get(pushed.digest);
  const signed = /^sha256-([0-9a-f]{64})\.sig$/.exec(pushed.tag ?? '')?.[1];
  if (artifact !== undefined && signed !== undefined && pushed.facts.layers.some(isSignature))
    artifact.signs = `sha256:${signed}`;
  if (pushed.tag !== undefined)
    repository.tags.set(pushed.tag, {
      id: repository.tags.get(pushed.tag)?.id ?? nextId(world, 'tag'),
      digest: pushed.digest,
      pushed: new Date(),
    });
}

function isSignature({ mediaType }: { readonly mediaType: string }): boolean {
  return mediaType === 'application/vnd.dev.cosign.simplesigning.v1+json';
}

function addRepository(world: World, name: string): Repository {
  const repository: Repository = {
    id: nextId(world, 'repository'),
    name,
    created: new Date(),
    artifacts: new Map(),
    tags: new Map(),
  };
  projectOf(world, name)?.repositories.set(name, repository);
  return repository;
}

function newArtifact(
  world: World,
  repository: Repository,
  pushed: { digest: string; facts: ManifestFacts; bytes: number; config: Record<string, unknown> | undefined },
): Artifact {
  const { facts, config } = pushed;
  const named = [...facts.layers, ...(facts.config === undefined ? [] : [facts.config])].reduce(
    (sum, { size }) => sum + size,
    0,
  );
  const children = facts.children.reduce((sum, { digest }) => sum + (repository.artifacts.get(digest)?.size ?? 0), 0);
  const kind = artifactKind(facts.config?.mediaType);
  return {
    id: nextId(world, 'artifact'),
    digest: pushed.digest,
    manifestMediaType: facts.mediaType,
    mediaType: facts.config?.mediaType ?? facts.mediaType,
    artifactType: facts.artifactType ?? facts.config?.mediaType ?? facts.mediaType,
    kind,
    manifestSize: pushed.bytes,
    size: pushed.bytes + named + children,
    pushed: new Date(),
    subject: facts.subject,
    signs: undefined,
    children: facts.children.map(({ digest }) => digest),
    annotations: facts.annotations,
    extraAttributes: extraAttributes(kind, config),
  };
}

function extraAttributes(
  kind: string,
  config: Record<string, unknown> | undefined,
): Record<string, unknown> | undefined {
  if (config === undefined) return undefined;
  if (kind === 'UNKNOWN') return undefined;
  if (kind !== 'IMAGE') return Object.keys(config).length === 0 ? undefined : config;
  return {
    architecture: config['architecture'] ?? '',
    author: config['author'] ?? '',
    config: config['config'] ?? {},
    created: config['created'] ?? null,
    os: config['os'] ?? '',
  };
}

function manifestPath(repository: string, digest: string): string {
  return `/v2/${repository}/manifests/${digest}`;
}
