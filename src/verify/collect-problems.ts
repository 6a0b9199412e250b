import type { ErrorCode, Problem } from '../errors.ts';
import type { ContentStore } from '../content/contracts.ts';
import { createHeapGuard } from '../io/heap-guard.ts';
import { childrenFirst, isSchema1, type ManifestNode } from '../content/image-graph.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { compareCodePoints, formatImageReference } from '../oci/reference.ts';
import type { VerifiedImage } from './collect-images.ts';
import { hasSize } from './judge-image.ts';
import { needersText } from './needers-text.ts';
import type { VerifyProblem } from './verify-report.ts';

/** Everything that is wrong, each once. */
export interface CollectedProblems {
  readonly problems: readonly VerifyProblem[];
  readonly corrupt: ReadonlySet<Digest>;
  /** With the size that a manifest says, 0 where none says one. */
  readonly missing: ReadonlyMap<Digest, number>;
}

interface Finding {
  readonly code: ErrorCode;
  readonly digest: Digest;
  readonly message: string;
  readonly needers: Map<string, { readonly repository: string; readonly tag: string | undefined }>;
}

/**
 * One problem for each blob that is wrong, with everything that needs it: a lost base layer is one thing to repair,
 * however many images stand on it.
 * @param corrupt what reading and hashing found
 * @param options.unneeded blobs that links name, that are not there and that no manifest needs, with a problem each
 */
export function collectProblems(
  store: ContentStore,
  images: readonly VerifiedImage[],
  corrupt: ReadonlyMap<Digest, Problem>,
  options: { readonly quick: boolean; readonly unneeded: ReadonlyMap<Digest, Problem> },
): CollectedProblems {
  const findings = new Map<string, Finding>();
  const corruptDigests = new Set(corrupt.keys());
  const missing = new Map<Digest, number>();
  const others: VerifyProblem[] = [];
  // Each of a thousand tags may need the same ten thousand blobs that are not there.
  const refuseFullHeap = createHeapGuard(store.describe ?? 'the backup', 'MEMORY_FULL');
  const find = (code: ErrorCode, digest: Digest, message: string, image: VerifiedImage): void => {
    refuseFullHeap();
    const key = `${code} ${digest}`;
    let finding = findings.get(key);
    if (finding === undefined) findings.set(key, (finding = { code, digest, message, needers: new Map() }));
    finding.needers.set(formatImageReference(image), image);
  };
  const lose = (blob: Pick<Descriptor, 'digest' | 'size'>): void =>
    void missing.set(blob.digest, Math.max(blob.size, missing.get(blob.digest) ?? 0));

  const findInNode = (node: ManifestNode, image: VerifiedImage): void => {
    if (corrupt.has(node.descriptor.digest)) findCorrupt(node.descriptor.digest, image);
    for (const { descriptor, problem } of node.lostChildren) {
      if (problem.code === 'CHILD_MISSING') lose(descriptor);
      find(problem.code, descriptor.digest, problem.message, image);
    }
    for (const blob of node.missing) {
      if (store.absent?.volumeOf(blob.digest) !== undefined) continue;
      lose(blob);
      find('BLOB_MISSING', blob.digest, `blob ${blob.digest} is not in the backup`, image);
    }
    for (const blob of node.blobs) {
      if (corrupt.has(blob.digest)) findCorrupt(blob.digest, image);
      else if (!hasSize(store, blob)) findSize(blob, node, image);
    }
    for (const child of node.children) {
      if (child.reference !== undefined && child.reference.size !== child.descriptor.size)
        find(
          'MANIFEST_INVALID',
          node.descriptor.digest,
          `index ${node.descriptor.digest} says ${child.reference.size} bytes for ${child.descriptor.digest}, ` +
            `which has ${child.descriptor.size}`,
          image,
        );
    }
  };
  const findCorrupt = (digest: Digest, image: VerifiedImage): void => {
    const problem = corrupt.get(digest);
    if (problem !== undefined) find(problem.code, digest, problem.message, image);
  };
  const findSize = (blob: Descriptor, node: ManifestNode, image: VerifiedImage): void => {
    const stored = store.stat(blob.digest)?.size ?? 0;
    if (options.quick) {
      corruptDigests.add(blob.digest);
      find(
        'BLOB_CORRUPT',
        blob.digest,
        `blob ${blob.digest} is damaged: it has ${stored} bytes instead of ${blob.size}`,
        image,
      );
    } else
      find(
        'MANIFEST_INVALID',
        node.descriptor.digest,
        `manifest ${node.descriptor.digest} says ${blob.size} bytes for ${blob.digest}, which has ${stored}`,
        image,
      );
  };

  for (const image of images) {
    const { root, digest, error } = image;
    if (root !== undefined) {
      for (const node of childrenFirst(root)) findInNode(node, image);
      if (childrenFirst(root).some(isSchema1)) others.push(schema1Note(image, root));
    } else if (digest !== undefined && error !== undefined) {
      if (error.code === 'BLOB_MISSING') lose({ digest, size: 0 });
      find(error.code, digest, error.message, image);
    }
  }
  for (const [digest, problem] of options.unneeded) {
    if (missing.has(digest)) continue;
    missing.set(digest, 0);
    others.push(problem);
  }
  for (const [digest, problem] of corrupt)
    if (!findings.has(`${problem.code} ${digest}`))
      others.push({ ...problem, neededBy: [], message: `${problem.message}; no image needs it` });
  return { problems: [...[...findings.values()].map(problemOf), ...others], corrupt: corruptDigests, missing };
}

function problemOf({ code, digest, message, needers }: Finding): VerifyProblem {
  const neededBy = [...needers.keys()].sort(compareCodePoints);
  const first = needers.get(neededBy[0] ?? '');
  return {
    code,
    repository: first?.repository,
    tag: first?.tag,
    digest,
    message: `${message}${needersText(neededBy)}`,
    neededBy,
  };
}

function schema1Note(image: VerifiedImage, root: ManifestNode): VerifyProblem {
  const { repository, tag } = image;
  return {
    code: 'SCHEMA1',
    repository,
    tag,
    digest: root.descriptor.digest,
    message: `${formatImageReference(image)} is a docker schema1 image: Harbor and Distribution 3 refuse it`,
  };
}
