import type { Digest } from '../oci/digest.ts';
import { formatImageReference } from '../oci/reference.ts';
import type { ServedRequest } from './server.ts';

/** An image that a client began to pull. */
export interface Pull {
  readonly repository: string;
  /** undefined where the client named it by its digest, and had not asked for a tag of it just before. */
  readonly tag: string | undefined;
  readonly digest: Digest;
  /** Address of the client. */
  readonly client: string;
  /** What the client calls itself, cut where it is long. */
  readonly agent: string | undefined;
}

/** What is remembered of clients; the oldest goes first. */
const mostRemembered = 10_000;
/** A client may call itself by tens of kilobytes, and that is remembered and printed. */
const longestAgent = 128;

/**
 * Tells pulls from requests. Docker and containerd ask what a tag means by HEAD and then fetch the manifest by its
 * digest; after an index comes the image of one platform, which is not a pull of its own.
 * @returns a function that is given every request, and answers with the pull that it begins
 */
export function createPullWatch(): (served: ServedRequest) => Pull | undefined {
  const tags = new Map<string, string>();
  const children = new Map<string, true>();
  return ({ request, answer, client, isWhole }) => {
    const manifest = answer?.manifest;
    if (manifest === undefined || !isWhole) return undefined;
    const { repository, tag, digest } = manifest;
    const agent = shorten(request.headers['user-agent']);
    const who = `${client}\n${agent ?? ''}\n${repository}\n`;
    if (request.method === 'HEAD') {
      if (tag !== undefined) remember(tags, who + digest, tag);
      return undefined;
    }
    for (const child of manifest.children) remember(children, who + child, true);
    if (tag === undefined && children.has(who + digest)) return undefined;
    return { repository, tag: tag ?? tags.get(who + digest), digest, client, agent };
  };
}

/** `team/web:1.0`, or `team/web@sha256:…`. */
export function formatPull(pull: Pull): string {
  return formatImageReference(pull);
}

function shorten(agent: string | undefined): string | undefined {
  return agent === undefined || agent.length <= longestAgent ? agent : `${agent.slice(0, longestAgent)}…`;
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > mostRemembered && oldest !== undefined) map.delete(oldest);
}
