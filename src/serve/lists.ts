import { refuse } from './refusal.ts';
import { compareTags, type ServedRepositories, type ServedRepository } from './repositories.ts';
import { answerBytes, type RegistryAnswer, type RegistryRequest } from './request.ts';

/** `GET /v2/_catalog`. @see distribution, docs/spec/api.md, "Listing Repositories" */
export function answerCatalog(
  request: RegistryRequest,
  query: URLSearchParams,
  { names }: ServedRepositories,
): RegistryAnswer {
  const page = pageOf(names, query, (name, last) => (name < last ? -1 : name > last ? 1 : 0));
  if (page === undefined) return wrongNumber(request);
  return answerPage(request, '/v2/_catalog', query, page, { repositories: page.items });
}

/** `GET /v2/<name>/tags/list`. @see OCI distribution-spec v1.1, "Listing Tags" */
export function answerTags(
  request: RegistryRequest,
  query: URLSearchParams,
  name: string,
  { tagNames }: Pick<ServedRepository, 'tagNames'>,
): RegistryAnswer {
  const page = pageOf(tagNames, query, compareTags);
  if (page === undefined) return wrongNumber(request);
  return answerPage(request, `/v2/${name}/tags/list`, query, page, { name, tags: page.items });
}

/** Names on a page, whatever was asked for: answers of many clients are in memory at once, however slow these are. */
const mostItems = 10_000;

interface Page {
  readonly items: readonly string[];
  /** Whether more items follow. */
  readonly isCut: boolean;
}

/** @returns undefined where `n` is not a number */
function pageOf(
  all: readonly string[],
  query: URLSearchParams,
  compare: (item: string, last: string) => number,
): Page | undefined {
  const number = query.get('n') ?? '';
  if (!/^\d*$/.test(number)) return undefined;
  const last = query.get('last') ?? '';
  const start = last === '' ? 0 : firstAfter(all, last, compare);
  const end = Math.min(all.length, start + Math.min(number === '' ? Infinity : Number(number), mostItems));
  // An empty page cannot say where the next one begins.
  return { items: all.slice(start, end), isCut: end < all.length && end > start };
}

function firstAfter(all: readonly string[], last: string, compare: (item: string, last: string) => number): number {
  let low = 0;
  for (let high = all.length; low < high;) {
    const middle = (low + high) >>> 1;
    if (compare(all[middle] ?? '', last) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function answerPage(
  request: RegistryRequest,
  path: string,
  query: URLSearchParams,
  { items, isCut }: Page,
  body: unknown,
): RegistryAnswer {
  const next = new URLSearchParams(query);
  next.set('last', items.at(-1) ?? '');
  return answerBytes(
    request,
    200,
    { 'Content-Type': 'application/json', ...(isCut && { Link: `<${path}?${next.toString()}>; rel="next"` }) },
    Buffer.from(JSON.stringify(body)),
  );
}

function wrongNumber(request: RegistryRequest): RegistryAnswer {
  return refuse(request, 'PAGINATION_NUMBER_INVALID', 'n must be a whole number');
}
