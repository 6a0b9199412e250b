import type { RegtarError } from '../../errors.ts';
import { createPullWatch, formatPull } from '../../serve/pulls.ts';
import type { ServedRequest } from '../../serve/server.ts';
import type { Context } from '../context.ts';
import { formatError } from '../output.ts';

/** Prints a line for each pull, and with `-v` for each request; for programs an event. */
export function tellRequests({ output, events, verbose }: Context): (served: ServedRequest) => void {
  const pullOf = createPullWatch();
  return (served) => {
    const { request, answer, client, isWhole, milliseconds } = served;
    if (verbose) {
      const facts = { client, method: request.method, target: request.target, status: answer?.status, isWhole };
      if (events === undefined)
        output.message(
          `${client} ${request.method} ${request.target} ${answer?.status ?? '-'} ${milliseconds.toFixed(1)} ms${
            isWhole ? '' : ', cut'
          }`,
        );
      else events.write('request', { ...facts, milliseconds: Math.round(milliseconds * 10) / 10 });
    }
    const pull = pullOf(served);
    if (pull === undefined) return;
    const { repository, tag, digest, agent } = pull;
    if (events === undefined)
      output.message(`${client} pulls ${formatPull(pull)}${agent === undefined ? '' : ` (${agent})`}`);
    else
      events.write('pull', {
        repository,
        ...(tag !== undefined && { tag }),
        digest,
        client,
        ...(agent !== undefined && { agent }),
      });
  };
}

/** Reports a failure once: a client that tries again and again must not fill the screen. */
export function tellOnce({ output, verbose }: Context): (error: RegtarError) => void {
  const told = new Set<string>();
  return (error) => {
    if (told.has(error.message)) return;
    told.add(error.message);
    output.error(formatError(error, verbose));
  };
}
