import { RegtarError } from '../errors.ts';
import { formatBytes } from '../io/sizes.ts';
import type { Answer } from '../net/transport.ts';
import { wordsOf } from '../remote/answers.ts';
import type { RemoteRequest } from '../remote/exchange.ts';
import type { Dialect } from '../remote/dialect.ts';
import type { Registry } from '../remote/registry.ts';
import { projectOf } from './name-rules.ts';
import { readQuota, type Quota } from './projects.ts';

const scopePattern = /^repository:([^/:]+)\/[^:]+:[a-z,]+$/;
/** What Harbor answers an account while its database works: any other 401 means that the database is down. */
const refusalPattern = /unauthorized to access repository|project .* not found|un-?recognized request/i;

function isWordOfDatabase(answer: Answer): boolean {
  const words = wordsOf(answer);
  return words !== '' && !refusalPattern.test(words);
}

/**
 * What a client of Harbor does differently: one token serves a whole project, because Harbor checks projects, and a
 * gateway's failure on a write is looked behind, because it may hide that the project is full.
 * @param limited whether a project may have a quota; nothing is asked of the others
 */
export function harborDialect(registry: Registry, limited: (project: string) => boolean): Dialect {
  const scopes = new Map<string, string>();
  return {
    tokenScope(scope) {
      const project = scopePattern.exec(scope)?.[1];
      if (project === undefined) return scope;
      const widened = scopes.get(project) ?? scope.replace(/:[a-z,]+$/, ':pull,push');
      scopes.set(project, widened);
      return widened;
    },
    async isOutage(answer, { method, repository, signal }) {
      if (method !== 'HEAD') return isWordOfDatabase(answer);
      // An answer to HEAD has no words; one to another question has.
      const look = await registry.exchange({
        method: 'GET',
        path: `/v2/${repository ?? ''}/tags/list?n=1`,
        doing: 'look whether it works',
        repository,
        accept: [401, 404],
        signal,
      });
      return 'answer' in look ? look.answer.status === 401 && isWordOfDatabase(look.answer) : look.transient;
    },
    async isAway(request) {
      const look = await registry.exchange({ ...request, method: 'HEAD', body: undefined, accept: [404] });
      return 'error' in look && look.transient;
    },
    async beforeRetry(request, error) {
      const project = projectOf(request.repository ?? '');
      const mayHide =
        request.method !== 'GET' &&
        request.method !== 'HEAD' &&
        (error.where.status === 502 || error.code === 'TARGET_UNREACHABLE');
      if (!mayHide || project === '' || !limited(project)) return undefined;
      const quota = await readQuota(registry, project, { signal: request.signal }).catch(() => undefined);
      const bytes = bodyBytes(request);
      return quota === undefined || quota.limit < 0 || quota.used + bytes <= quota.limit
        ? undefined
        : quotaExceeded(registry, project, quota, bytes, error);
    },
  };
}

/** @param bytes that were to be added */
export function quotaExceeded(
  registry: Registry,
  project: string,
  quota: Quota,
  bytes: number,
  cause?: unknown,
): RegtarError {
  return new RegtarError(
    'QUOTA_EXCEEDED',
    `project ${project} of ${registry.host} needs ${formatBytes(bytes)} and has ` +
      `${formatBytes(Math.max(0, quota.limit - quota.used))} free (quota ${formatBytes(quota.limit)})`,
    {
      hint:
        "raise the project's quota, delete what it no longer needs and let garbage collection run, or push " +
        'less with --include',
      cause,
    },
  );
}

function bodyBytes({ body }: RemoteRequest): number {
  return body === undefined ? 0 : body instanceof Uint8Array ? body.length : body.size;
}
