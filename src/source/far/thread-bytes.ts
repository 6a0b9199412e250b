import type { FarBytes, FarRequest } from '../../io/far-bytes.ts';
import type { Client } from '../../net/client.ts';
import type { Backoff } from '../../net/retry.ts';
import { leastProgressBytes } from './access.ts';

/** What an answer calls the version of its object. */
export interface Version {
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

/** What threads need of a server. */
export interface ThreadServer {
  /** One GET for a thread that sends it by itself; absent, or undefined, where none can. */
  direct?(headers: Readonly<Record<string, string>>): Promise<ReturnType<Client['direct']>>;
  backoff(): Backoff;
}

/** An object of which one version is meant. */
export interface PinnedObject {
  readonly server: ThreadServer;
  /** That ask for this version and no other. */
  readonly headers: Readonly<Record<string, string>>;
  /** In bytes. */
  readonly size: number;
  readonly version: Version;
  /** A small part in the usual way. */
  fetch(start: number, size: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** Threads that get nowhere twice, while the usual way does, are not the right ones for a part. */
const triesInVain = 2;
/** Nor are they for an object, then: its server answers in a way that they do not take. */
const partsInVain = 2;

/**
 * Parts of an object for threads. They take the answers that they are meant to get; what any other means, and whether
 * it is worth waiting, is found out here with a request for one byte, in the usual way.
 * @returns makes one; undefined where threads cannot ask the server, or have asked it in vain
 */
export function createThreadBytes(object: PinnedObject): (start: number, size: number) => FarBytes | undefined {
  const { direct } = object.server;
  let inVain = 0;
  return (start, size) =>
    direct === undefined || size === 0 || inVain >= partsInVain
      ? undefined
      : threadBytes(object, direct, { start, size, giveUp: () => void inVain++ });
}

function threadBytes(
  object: PinnedObject,
  direct: NonNullable<ThreadServer['direct']>,
  { start, size, giveUp }: { readonly start: number; readonly size: number; readonly giveUp: () => void },
): FarBytes {
  const { server, version } = object;
  let backoff = server.backoff();
  let inVain = 0;
  let before = 0;
  let answered: (status: number) => void = () => undefined;
  const ask = async (position: number): Promise<FarRequest | undefined> => {
    const range = `${start + position}-${start + size - 1}`;
    const asked = await direct({ range: `bytes=${range}`, ...object.headers });
    if (asked === undefined) return undefined;
    answered = asked.answered;
    return {
      ...asked.request,
      answer: {
        'content-range': `bytes ${range}/${object.size}`,
        ...(version.etag !== undefined && { etag: version.etag }),
        ...(version.etag === undefined && version.modified !== undefined && { 'last-modified': version.modified }),
      },
      size: size - position,
    };
  };
  return {
    size,
    ask: () => ask(0),
    async askAgain(position, trouble, signal) {
      const hasMoved = position - before >= leastProgressBytes;
      before = position;
      // What moved shows that the server is there: patience starts again. A few bytes each time would never end.
      if (hasMoved) backoff = server.backoff();
      inVain = hasMoved ? 0 : inVain + 1;
      if (inVain >= triesInVain) giveUp();
      if (trouble === 'slow' || inVain >= triesInVain) return undefined;
      if (hasMoved && !(await backoff.wait(undefined, signal))) return undefined;
      await object.fetch(start + position, 1, signal);
      return ask(position);
    },
    answered: (status) => answered(status),
  };
}
