import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { RemoteRequest } from '../remote/exchange.ts';
import type { Registry } from '../remote/registry.ts';
import type { Answer } from '../net/transport.ts';
import { tryJson } from '../io/try-json.ts';

/** How a request to the API is stopped. */
export interface ApiOptions {
  /** Whose credential is shown; the registry's own without it. */
  readonly repository?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One request to Harbor's API. It takes passwords alone: a registry's token counts as anonymous there. */
export function askApi(
  registry: Registry,
  request: Omit<RemoteRequest, 'path'> & { readonly path: string },
): Promise<Answer> {
  return registry.request({
    shows: 'password',
    ...request,
    path: `/api/v2.0${request.path}`,
    headers: { accept: 'application/json', ...request.headers },
  });
}

/** The answer's JSON in the shape that is read of it. @throws RegtarError TARGET_REFUSED for anything else */
export function parseApi<T>(schema: v.GenericSchema<unknown, T>, answer: Answer, registry: Registry): T {
  const parsed = tryParseApi(schema, answer);
  if (parsed !== undefined) return parsed;
  throw new RegtarError(
    'TARGET_REFUSED',
    `${registry.host} gave an answer to ${answer.url.pathname} that Harbor's API does not give`,
    {
      where: { url: answer.url.pathname, status: answer.status },
      hint: '--no-harbor treats it as a plain registry',
    },
  );
}

/** @returns undefined when the answer is not of this shape */
export function tryParseApi<T>(schema: v.GenericSchema<unknown, T>, answer: Answer): T | undefined {
  const parsed = v.safeParse(schema, tryJson(answer.body));
  return parsed.success ? parsed.output : undefined;
}
