import { actionsOn, manages } from './access.ts';
import { Refusal, send, sendJson } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { pageOf, requireProject } from './projects-api.ts';
import { isImmutable, type Artifact, type Project, type Repository } from './world.ts';
import type { Route } from './api.ts';

/** Repositories and artifacts as Harbor's pages list them. A repository's name is encoded twice in these paths. */
export const artifactRoutes: readonly Route[] = [
  { method: 'GET', pattern: /^projects\/([^/]+)\/repositories$/, serve: listRepositories },
  { method: 'DELETE', pattern: /^projects\/([^/]+)\/repositories\/([^/]+)$/, serve: deleteRepository },
  { method: 'GET', pattern: /^projects\/([^/]+)\/repositories\/([^/]+)\/artifacts$/, serve: listArtifacts },
  { method: 'GET', pattern: /^projects\/([^/]+)\/repositories\/([^/]+)\/artifacts\/([^/]+)$/, serve: getArtifact },
];

const never = '0001-01-01T00:00:00.000Z';

function listRepositories(exchange: Exchange, projectName: string): void {
  const project = readable(exchange, projectName);
  const { page, headers } = pageOf(exchange, [...project.repositories.values()]);
  sendJson(
    exchange.response,
    200,
    page.map((repository) => ({
      artifact_count: topLevel(repository).length,
      creation_time: repository.created.toISOString(),
      id: repository.id,
      name: repository.name,
      project_id: project.id,
      pull_count: 0,
      update_time: repository.created.toISOString(),
    })),
    headers,
  );
}

function deleteRepository(exchange: Exchange, projectName: string, name: string): void {
  const project = requireProject(exchange, projectName, (found) => manages(exchange.caller, found));
  const repository = findRepository(project, name);
  const kept = [...repository.tags.keys()].find((tag) => isImmutable(project, repository.name, tag));
  if (kept !== undefined)
    throw new Refusal(412, 'PRECONDITION', `the tag ${kept} configured as immutable, cannot be deleted`);
  project.repositories.delete(repository.name);
  send(exchange.response, 200, '');
}

function listArtifacts(exchange: Exchange, projectName: string, name: string): void {
  const project = readable(exchange, projectName);
  const repository = findRepository(project, name);
  const { page, headers } = pageOf(exchange, topLevel(repository).reverse());
  sendJson(
    exchange.response,
    200,
    page.map((artifact) => describe(exchange, project, repository, artifact, false)),
    headers,
  );
}

function getArtifact(exchange: Exchange, projectName: string, name: string, reference: string): void {
  const project = readable(exchange, projectName);
  const repository = findRepository(project, name);
  const artifact = repository.artifacts.get(repository.tags.get(reference)?.digest ?? reference);
  if (artifact === undefined) throw new Refusal(404, 'NOT_FOUND', `artifact ${repository.name}:${reference} not found`);
  sendJson(exchange.response, 200, describe(exchange, project, repository, artifact, true));
}

function readable(exchange: Exchange, projectName: string): Project {
  return requireProject(
    exchange,
    projectName,
    (found) => exchange.caller.kind === 'user' && actionsOn(exchange.caller, found).has('pull'),
  );
}

function findRepository(project: Project, name: string): Repository {
  const repository = project.repositories.get(`${project.name}/${name}`);
  if (repository === undefined) throw new Refusal(404, 'NOT_FOUND', `repository ${project.name}/${name} not found`);
  return repository;
}

/** Lists leave out what only an index leads to, and what belongs to another artifact, tags or not. */
function topLevel(repository: Repository): Artifact[] {
  const artifacts = [...repository.artifacts.values()];
  const children = new Set(artifacts.flatMap((artifact) => artifact.children));
  const tagged = new Set([...repository.tags.values()].map(({ digest }) => digest));
  return artifacts.filter(
    (artifact) => ownerOf(artifact) === undefined && (tagged.has(artifact.digest) || !children.has(artifact.digest)),
  );
}

function describe(
  exchange: Exchange,
  project: Project,
  repository: Repository,
  artifact: Artifact,
  alone: boolean,
): Record<string, unknown> {
  const pushed = artifact.pushed.toISOString();
  const tags = [...repository.tags]
    .filter(([, { digest }]) => digest === artifact.digest)
    .map(([name, tag]) => ({
      artifact_id: artifact.id,
      id: tag.id,
      immutable: isImmutable(project, repository.name, name),
      name,
      pull_time: never,
      push_time: tag.pushed.toISOString(),
      repository_id: repository.id,
    }));
  const isIndex = artifact.mediaType === artifact.manifestMediaType;
  const links = additionLinks(project, repository, artifact);
  return {
    accessories: exchange.query.get('with_accessory') === 'true' ? accessories(repository, artifact) : null,
    ...(alone && !isIndex && links !== undefined ? { addition_links: links } : {}),
    ...(artifact.annotations === undefined ? {} : { annotations: artifact.annotations }),
    ...(isIndex ? {} : { artifact_type: artifact.artifactType }),
    digest: artifact.digest,
    ...(artifact.extraAttributes === undefined ? {} : { extra_attrs: artifact.extraAttributes }),
    icon: artifact.digest,
    id: artifact.id,
    labels: null,
    manifest_media_type: artifact.manifestMediaType,
    media_type: artifact.mediaType,
    project_id: project.id,
    pull_time: never,
    push_time: pushed,
    references:
      artifact.children.length === 0
        ? null
        : artifact.children.map((digest) => ({
            child_digest: digest,
            child_id: repository.artifacts.get(digest)?.id ?? 0,
            parent_id: artifact.id,
            urls: null,
          })),
    repository_id: repository.id,
    repository_name: repository.name,
    size: artifact.size,
    tags: tags.length === 0 ? null : tags,
    type: artifact.kind,
  };
}

function ownerOf({ subject, signs }: Artifact): string | undefined {
  return subject ?? signs;
}

/** By the type that its manifest names, as far as Harbor tells them apart. */
function accessoryType({ subject, artifactType }: Artifact): string {
  if (subject === undefined) return 'signature.cosign';
  switch (artifactType) {
    case 'application/vnd.dev.cosign.artifact.sig.v1+json':
    case 'application/vnd.dev.sigstore.bundle.v0.3+json':
      return 'signature.cosign';
    case 'application/vnd.cncf.notary.signature':
      return 'signature.notation';
    case 'application/vnd.goharbor.harbor.sbom.v1':
      return 'sbom.harbor';
    default:
      return 'subject.accessory';
  }
}

function accessories(repository: Repository, subject: Artifact): unknown[] | null {
  const found = [...repository.artifacts.values()].filter((artifact) => ownerOf(artifact) === subject.digest);
  return found.length === 0
    ? null
    : found.map((artifact, index) => ({
        artifact_id: artifact.id,
        creation_time: artifact.pushed.toISOString(),
        digest: artifact.digest,
        icon: '',
        id: index + 1,
        size: artifact.size,
        subject_artifact_digest: subject.digest,
        subject_artifact_id: subject.id,
        subject_artifact_repo: repository.name,
        type: accessoryType(artifact),
      }));
}

function additionLinks(
  project: Project,
  repository: Repository,
  artifact: Artifact,
): Record<string, unknown> | undefined {
  const names =
    artifact.kind === 'IMAGE'
      ? ['build_history']
      : artifact.kind === 'CHART'
        ? ['dependencies', 'readme.md', 'values.yaml']
        : [];
  const encoded = encodeURIComponent(encodeURIComponent(repository.name.slice(project.name.length + 1)));
  const base = `/api/v2.0/projects/${project.name}/repositories/${encoded}/artifacts/${artifact.digest}/additions`;
  return names.length === 0
    ? undefined
    : Object.fromEntries(names.map((name) => [name, { absolute: false, href: `${base}/${name}` }]));
}
