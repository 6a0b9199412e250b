import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { Registry } from '../remote/registry.ts';
import { askApi, tryParseApi, type ApiOptions } from './api.ts';

const historySchema = v.array(v.object({ job_status: v.string() }));
const activeStates: ReadonlySet<string> = new Set(['Pending', 'Running', 'Scheduled']);

/** @returns undefined where the account may not see it: only administrators may */
export async function isCollecting(registry: Registry, options: ApiOptions = {}): Promise<boolean | undefined> {
  const answer = await askApi(registry, {
    method: 'GET',
    path: '/system/gc?page_size=10&sort=-creation_time',
    doing: 'ask whether garbage collection runs',
    accept: [401, 403, 404, 412],
    mayBeDenied: true,
    ...options,
  });
  const history = answer.status === 200 ? tryParseApi(historySchema, answer) : undefined;
  return history?.some(({ job_status }) => activeStates.has(job_status));
}

/** A collection takes away what a manifest has named again in the same moment. */
export function collecting(registry: Registry): RegtarError {
  return new RegtarError(
    'GC_RUNNING',
    `garbage collection is running in ${registry.host} and may delete what is placed now`,
    {
      hint: 'wait until it has ended (Administration, Clean Up), then run the same command again',
    },
  );
}
