import { othersGoOn } from '../errors.ts';
import { makeDigest, type Digest } from '../oci/digest.ts';
import type { TagEntry } from './contracts.ts';
import { childrenFirst, type GraphReader } from './image-graph.ts';

/**
 * Something that speaks of an image: a manifest with a `subject`, or a `sha256-<hex>.sig` tag of cosign's older scheme.
 */
export interface Referrer {
  readonly tag: string | undefined;
  readonly digest: Digest;
  /** Of the tag. */
  readonly pushed?: number | undefined;
}

const referrerTagPattern = /^(sha256|sha512)-([0-9a-f]+)(?:\.[a-z0-9.-]+)?$/;

/** @returns the digest that a `sha256-<hex>` or `sha256-<hex>.sig` tag speaks of */
export function referrerTagSubject(tag: string): Digest | undefined {
  const match = referrerTagPattern.exec(tag);
  return match ? makeDigest(match[1] ?? '', match[2] ?? '') : undefined;
}

/**
 * Everything in a repository that refers to the given images or to their children, and to what refers to them.
 * @param tags all tags of the repository
 * @param unreached revisions that no tag and no index reaches: untagged referrers are among them
 * @see OCI distribution-spec v1.1, "Listing Referrers" and "Referrers Tag Schema"
 */
export function findReferrers(
  graph: GraphReader,
  roots: readonly Digest[],
  tags: readonly TagEntry[],
  unreached: readonly Digest[],
): readonly Referrer[] {
  const bySubject = new Map<Digest, Referrer[]>();
  const taken = new Set<Digest>(roots);
  const add = (subject: Digest | undefined, referrer: Referrer): void => {
    if (subject === undefined) return;
    const others = bySubject.get(subject);
    if (others === undefined) bySubject.set(subject, [referrer]);
    else others.push(referrer);
  };
  for (const { tag, digest, pushed } of tags) {
    const referrer = { tag, digest, ...(pushed !== undefined && { pushed }) };
    add(referrerTagSubject(tag), referrer);
    if (!taken.has(digest)) add(subjectOf(graph, digest), referrer);
  }
  for (const digest of unreached) add(subjectOf(graph, digest), { tag: undefined, digest });
  if (bySubject.size === 0) return [];

  const found = new Map<string, Referrer>();
  const queue = [...roots];
  for (let digest = queue.pop(); digest !== undefined; digest = queue.pop()) {
    for (const part of manifestDigests(graph, digest)) {
      for (const referrer of bySubject.get(part) ?? []) {
        if (referrer.tag === undefined && taken.has(referrer.digest)) continue;
        found.set(referrer.tag ?? referrer.digest, referrer);
        if (!taken.has(referrer.digest)) queue.push(referrer.digest);
        taken.add(referrer.digest);
      }
    }
  }
  return [...found.values()];
}

/** Whether a manifest speaks of another one, by its tag or by its `subject`. */
export function isReferrer(graph: GraphReader, { tag, digest }: Referrer): boolean {
  return (tag !== undefined && referrerTagSubject(tag) !== undefined) || subjectOf(graph, digest) !== undefined;
}

function manifestDigests(graph: GraphReader, digest: Digest): readonly Digest[] {
  try {
    return childrenFirst(graph.read(digest)).map((node) => node.descriptor.digest);
  } catch (error) {
    if (othersGoOn(error)) return [digest];
    throw error;
  }
}

function subjectOf(graph: GraphReader, digest: Digest): Digest | undefined {
  try {
    return graph.read(digest).subject?.digest;
  } catch (error) {
    // A broken manifest refers to nothing; it is reported where it is itself planned.
    if (othersGoOn(error)) return undefined;
    throw error;
  }
}
