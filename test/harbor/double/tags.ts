import { sendJson, Refusal } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { repositoryOf } from './world.ts';

const json = { 'Content-Type': 'application/json; charset=utf-8' };

/** `GET …/tags/list`: Harbor keeps the tags itself. */
export function serveTags(exchange: Exchange, name: string): void {
  const repository = repositoryOf(exchange.world, name);
  if (repository === undefined) throw new Refusal(404, 'NOT_FOUND', `repository ${name} not found`);
  const { page, next } = pageOf([...repository.tags.keys()], exchange.query);
  sendJson(
    exchange.response,
    200,
    { name, tags: page },
    { ...json, ...(next === undefined ? {} : { Link: `</v2/${name}/tags/list?${next}>; rel="next"` }) },
  );
}

/** `GET /v2/_catalog`: repositories that hold something. */
export function serveCatalog(exchange: Exchange): void {
  const names = [...exchange.world.projects.values()].flatMap((project) => [...project.repositories.keys()]);
  const { page, next } = pageOf(names, exchange.query);
  sendJson(
    exchange.response,
    200,
    { repositories: page },
    { ...json, ...(next === undefined ? {} : { Link: `</v2/_catalog?${next}>; rel="next"` }) },
  );
}

function pageOf(names: readonly string[], query: URLSearchParams): { page: string[]; next: string | undefined } {
  const last = query.get('last');
  const sorted = [...names].sort().filter((name) => last === null || name > last);
  const size = Number(query.get('n') ?? 0);
  if (!(size > 0) || sorted.length <= size) return { page: sorted, next: undefined };
  const page = sorted.slice(0, size);
  return { page, next: `last=${encodeURIComponent(page.at(-1) ?? '')}&n=${String(size)}` };
}
