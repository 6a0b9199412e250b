import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { BlobRequestOptions } from './blobs.ts';
import type { RemoteRequest } from './exchange.ts';
import type { Registry } from './registry.ts';
import { pullScope } from './scopes.ts';
import { headerOf, type Answer } from '../net/transport.ts';
import { createHeapGuard } from '../io/heap-guard.ts';
import { tryJson } from '../io/try-json.ts';

const tagsSchema = v.object({ tags: v.optional(v.nullable(v.array(v.string()))) });
const catalogSchema = v.object({ repositories: v.optional(v.nullable(v.array(v.string()))) });
const pageSize = 1000;
/** A registry whose next page never ends would keep us for ever. */
const pagesAtMost = 1000;

/**
 * Every tag of a repository, in the registry's order.
 * @returns undefined when it has no such repository
 * @see OCI distribution-spec v1.1, "Listing Tags"
 */
export async function listTags(
  registry: Registry,
  repository: string,
  options: BlobRequestOptions = {},
): Promise<readonly string[] | undefined> {
  const tags: string[] = [];
  const first: RemoteRequest = {
    method: 'GET',
    path: `/v2/${repository}/tags/list?n=${pageSize}`,
    doing: `list the tags of ${repository}`,
    where: { repository },
    repository,
    scopes: [pullScope(repository)],
    accept: [404],
    ...options,
  };
  for await (const answer of pages(registry, first)) {
    if (answer.status === 404) return undefined;
    tags.push(...(parse(tagsSchema, answer, registry, 'tags').tags ?? []));
  }
  return tags;
}

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
    repositories.push(...(parse(catalogSchema, answer, registry, 'repositories').repositories ?? []));
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

function parse<T>(schema: v.GenericSchema<unknown, T>, answer: Answer, registry: Registry, what: string): T {
  const parsed = v.safeParse(schema, tryJson(answer.body));
  if (parsed.success) return parsed.output;
  throw new RegtarError('TARGET_REFUSED', `${registry.host} gave an answer that is not a list of ${what}`);
}
