import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { BlobRequestOptions } from './blobs.ts';
import type { RemoteRequest } from './exchange.ts';
import type { Registry } from './registry.ts';
import { pullScope } from './scopes.ts';
import { headerOf, type Answer } from '../net/transport.ts';
import { createHeapGuard } from '../io/heap-guard.ts';
import { limits } from '../io/limits.ts';
import { tryJson } from '../io/try-json.ts';

const catalogSchema = v.object({ repositories: v.optional(v.nullable(v.array(v.string()))) });
const pageSize = 1000;
/** A registry whose next page never ends would keep us for ever. */
const pagesAtMost = 1000;

/**
 * Whether a registry has a repository: then it lists tags of it. The list is not read; some registries give all of it,
 * whatever they are asked for.
 */
export async function hasRepository(
  registry: Registry,
  repository: string,
  options: BlobRequestOptions = {},
): Promise<boolean> {
  let bytes = 0;
  try {
    const answer = await registry.request({
      method: 'GET',
      path: `/v2/${repository}/tags/list?n=1`,
      doing: `list the tags of ${repository}`,
      where: { repository },
      repository,
      scopes: [pullScope(repository)],
      accept: [404],
      receive: () => (chunk) => {
        bytes += chunk.length;
        if (bytes > limits.responseBytes) throw enough;
      },
      ...options,
    });
    return answer.status !== 404;
  } catch (error) {
    if (error === enough) return true;
    throw error;
  }
}

/** Ends an answer that has said what it was asked for. */
const enough = new RegtarError('TARGET_REFUSED', 'a list of tags is longer than it need be read');

/**
 * Every repository, where the registry tells: most keep that to administrators.
 * @returns undefined when this account or registry has no such list
 * @see distribution, docs/spec/api.md, "Listing Repositories"
 */
export async function listRepositories(
  registry: Registry,
  options: BlobRequestOptions = {},
): Promise<readonly string[] | undefined> {
  const repositories: string[] = [];
  const first: RemoteRequest = {
    method: 'GET',
    path: `/v2/_catalog?n=${pageSize}`,
    doing: 'list its repositories',
    scopes: ['registry:catalog:*'],
    accept: [400, 401, 403, 404, 405, 500, 501],
    retryTimes: 0,
    mayBeDenied: true,
    ...options,
  };
  for await (const answer of pages(registry, first)) {
    if (answer.status !== 200) return undefined;
    // One by one: a page may have more names than a call may have arguments.
    for (const name of parse(catalogSchema, answer, registry).repositories ?? []) repositories.push(name);
  }
  return repositories;
}

/** Follows `Link: <…>; rel="next"`. @see RFC 8288 */
async function* pages(registry: Registry, first: RemoteRequest): AsyncGenerator<Answer> {
  const refuseFullHeap = createHeapGuard(`the list that ${registry.host} gives`, 'MEMORY_FULL');
  let next: RemoteRequest | undefined = first;
  for (let page = 0; next !== undefined && page < pagesAtMost; page++) {
    const answer: Answer = await registry.request(next);
    yield answer;
    refuseFullHeap();
    const link = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(headerOf(answer, 'link') ?? '')?.[1];
    const url = link === undefined ? undefined : registry.resolve(link, answer.url);
    next = url === undefined ? undefined : { ...first, path: url };
  }
}

function parse<T>(schema: v.GenericSchema<unknown, T>, answer: Answer, registry: Registry): T {
  const parsed = v.safeParse(schema, tryJson(answer.body));
  if (parsed.success) return parsed.output;
  throw new RegtarError('TARGET_REFUSED', `${registry.host} gave an answer that is not a list of repositories`);
}
