import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { readGraph, type ReadImage, type ReadOptions } from './read-graph.ts';

export interface RegistryAccess {
  /** `http://host:port` or https; certificates are not checked. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
}

/** A tag as the registry lists and answers it. */
export interface RegistryTag {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
}

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
].join(', ');

/**
 * Every tag that the registry serves, in code point order; a tag that is listed but answers 404 is left out.
 * @param prefix of the repositories that count
 */
export async function listRegistry(access: RegistryAccess, prefix = ''): Promise<RegistryTag[]> {
  const tags: RegistryTag[] = [];
  for (const repository of (await collect(access, '/v2/_catalog?n=1000', 'repositories')).sort()) {
    if (!repository.startsWith(prefix)) continue;
    // A repository into which nothing but blobs came is in the catalog and has no list of tags.
    if ((await ask(access, `/v2/${repository}/tags/list?n=1`)).status === 404) continue;
    for (const tag of (await collect(access, `/v2/${repository}/tags/list?n=1000`, 'tags')).sort()) {
      const { status, headers, body } = await ask(access, `/v2/${repository}/manifests/${tag}`);
      if (status !== 200) continue;
      tags.push({
        repository,
        tag,
        digest: String(headers['docker-content-digest']),
        mediaType: String(headers['content-type']),
        size: body.length,
      });
    }
  }
  return tags;
}

/**
 * Reads one image with everything below it and hashes all of it.
 * @param reference a tag or a digest
 * @throws Error when anything is absent or is not what its digest says
 */
export async function readRegistryImage(
  access: RegistryAccess,
  repository: string,
  reference: string,
  options: ReadOptions = {},
): Promise<ReadImage> {
  const root = await ask(access, `/v2/${repository}/manifests/${reference}`);
  if (root.status !== 200)
    throw new Error(`${repository} ${reference}: ${root.status} ${root.body.toString('utf8').slice(0, 300)}`);
  return readGraph(
    String(root.headers['docker-content-digest']),
    async (digest, kind) => {
      const { status, body } = await ask(
        access,
        `/v2/${repository}/${kind === 'manifest' ? 'manifests' : 'blobs'}/${digest}`,
      );
      return status === 200 ? body : undefined;
    },
    { ...options, mediaType: String(root.headers['content-type']) },
  );
}

/** Follows the pages of a list. */
async function collect(access: RegistryAccess, path: string, field: string): Promise<string[]> {
  const names: string[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const { status, headers, body } = await ask(access, next);
    if (status !== 200) throw new Error(`${next}: ${status} ${body.toString('utf8').slice(0, 300)}`);
    names.push(...((JSON.parse(body.toString('utf8')) as Record<string, string[] | null>)[field] ?? []));
    const link = /<([^>]+)>;\s*rel="next"/.exec(String(headers['link'] ?? ''))?.[1];
    next = link === undefined ? undefined : new URL(link, access.url).pathname + new URL(link, access.url).search;
  }
  return names;
}

function ask(
  access: RegistryAccess,
  path: string,
): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
  const url = new URL(path, access.url);
  const headers: Record<string, string> = { accept: path.includes('/manifests/') ? manifestTypes : '*/*' };
  if (access.username !== undefined)
    headers['authorization'] = `Basic ${Buffer.from(`${access.username}:${access.password ?? ''}`).toString('base64')}`;
  return new Promise((resolve, reject) => {
    const onAnswer = (response: IncomingMessage): void => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    };
    const request =
      url.protocol === 'https:'
        ? httpsRequest(url, { headers, rejectUnauthorized: false }, onAnswer)
        : httpRequest(url, { headers }, onAnswer);
    request.once('error', reject);
    request.end();
  });
}
