import { setMaxListeners } from 'node:events';
import type { RegtarError } from '../errors.ts';
import { explainFailure, isRefusedByProxy, type Failure } from './failures.ts';
import { createGate, isTransientStatus, parseRetryAfter, type Backoff } from './retry.ts';
import type { ServerWords } from './server-words.ts';
import {
  headerOf,
  readAnswer,
  type Answer,
  type AnswerHead,
  type StreamedAnswer,
  type Transport,
  type TransportRequest,
} from './transport.ts';
import { createWarnings } from './warnings.ts';

/** Told of every answer; status 0 where none came. */
export type RequestListener = (request: {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}) => void;

/** What a sender needs. */
export interface SenderOptions {
  readonly transport: Transport;
  readonly words: ServerWords;
  readonly userAgent: string;
  /** The longest `Retry-After` that is waited for. */
  readonly maxPauseSeconds: number;
  readonly isDirect: (url: URL) => boolean;
  readonly onWarning?: ((text: string) => void) | undefined;
  readonly onRequest?: RequestListener | undefined;
  /** Told of each pause that an answer asks for, and that is kept. */
  readonly onPause?: PauseListener | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Told which status asks for how many seconds. */
export type PauseListener = (url: URL, seconds: number, status: number) => void;

/**
 * Requests to one server and what belongs to it, a token service for instance: all are held back when one is told to
 * wait.
 */
export interface Sender {
  /** The answer as soon as it begins. @throws the network's own error */
  stream(request: TransportRequest): Promise<StreamedAnswer>;
  /**
   * The whole answer.
   * @param take gets the body of a 2xx answer as it comes, of any size
   * @throws the network's own error
   */
  once(request: TransportRequest, take?: (chunk: Uint8Array) => void): Promise<Answer>;
  /**
   * Retries network failures and passing statuses; returns any other answer, and the last one.
   * @param onFailure told of each failure of the network before the next attempt. @throws RegtarError
   */
  patiently(
    request: TransportRequest,
    backoff: Backoff,
    firstContact: boolean,
    onFailure?: (error: RegtarError, backoff: Backoff) => void,
  ): Promise<Answer>;
  /** @throws the reason of an interruption */
  explain(error: unknown, request: Pick<TransportRequest, 'url' | 'signal'>, firstContact: boolean): Promise<Failure>;
}

/** Sends through a transport, and hears what answers say to every client. */
export function createSender(options: SenderOptions): Sender {
  const { words } = options;
  const warnings = createWarnings(options.onWarning);
  const gate = createGate();

  const stream = async (request: TransportRequest): Promise<StreamedAnswer> => {
    // As many requests as their caller likes listen to one signal: that is not a leak.
    if (request.signal !== undefined) setMaxListeners(0, request.signal);
    await gate.pass(request.signal);
    const told = { method: request.method, path: request.url.pathname };
    try {
      const answer = await options.transport.stream({
        ...request,
        // Digests are of bytes as they are stored, and nothing here unpacks what a proxy has packed.
        headers: { 'user-agent': options.userAgent, 'accept-encoding': 'identity', ...request.headers },
      });
      options.onRequest?.({ ...told, status: answer.status });
      warnings.read(answer);
      const seconds = retryAfterOf(answer);
      // More is not worth the wait.
      if (seconds !== undefined && seconds <= options.maxPauseSeconds && isTransientStatus(answer.status)) {
        options.onPause?.(request.url, seconds, answer.status);
        gate.closeFor(seconds);
      }
      return answer;
    } catch (error) {
      options.onRequest?.({ ...told, status: 0 });
      throw error;
    }
  };

  const once: Sender['once'] = async (request, take) => readAnswer(await stream(request), words, take);

  const explain: Sender['explain'] = async (error, { url, signal }, firstContact) => {
    // The reason, because a connection that was closed under a request knows none.
    signal?.throwIfAborted();
    options.signal?.throwIfAborted();
    if (error instanceof Error && error.name === 'AbortError' && !isRefusedByProxy(error)) throw error;
    return explainFailure(error, url, { words, direct: options.isDirect(url), first: firstContact });
  };

  const patiently: Sender['patiently'] = async (request, backoff, firstContact, onFailure) => {
    for (;;) {
      const outcome = await once(request).then(
        (answer) => ({ answer }),
        async (error: unknown) => explain(error, request, firstContact),
      );
      if ('answer' in outcome) {
        if (
          !isTransientStatus(outcome.answer.status) ||
          !(await backoff.wait(retryAfterOf(outcome.answer), request.signal))
        )
          return outcome.answer;
      } else {
        if (outcome.transient) onFailure?.(outcome.error, backoff);
        if (!outcome.transient || !(await backoff.wait(undefined, request.signal))) throw outcome.error;
      }
    }
  };

  return { stream, once, patiently, explain };
}

/** What an answer asks for, in seconds. */
export function retryAfterOf(answer: AnswerHead): number | undefined {
  return parseRetryAfter(headerOf(answer, 'retry-after'));
}
