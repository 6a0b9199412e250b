import { isJsonObject } from '../io/try-json.ts';
import { limits } from '../io/limits.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { isImageConfigType } from '../oci/media-types.ts';
import { isUnknownPlatform } from '../oci/platform.ts';
import type { ContentStore } from './contracts.ts';
import type { ManifestNode } from './image-graph.ts';
import { readJsonBlob } from './read-json-blob.ts';
import { referrerTagSubject } from './referrers.ts';

/** What a manifest is, for people, and what it speaks of. */
export interface ArtifactKind {
  /**
   * `image`, `multi-arch image`, `Helm chart`, `signature`, `SBOM (SPDX)`, `provenance`, …, or an artifact's own type.
   */
  readonly kind: string;
  /** Of a Helm chart. */
  readonly name?: string;
  readonly version?: string;
  /** Of a Helm chart: the version of what it installs. */
  readonly appVersion?: string;
  /** What a signature, an SBOM or an attestation is of. */
  readonly of?: Digest;
}

/**
 * Media and artifact types, by what they are.
 * @see cosign, specs; notation, signature-specification; buildkit, docs/attestations
 */
const kinds: readonly (readonly [pattern: RegExp, kind: string])[] = [
  [/^application\/vnd\.dev\.cosign\.simplesigning\./, 'signature (cosign)'],
  [/^application\/vnd\.dev\.sigstore\.bundle/, 'signature (sigstore bundle)'],
  [/^application\/vnd\.cncf\.notary\.signature/, 'signature (notation)'],
  [/spdx/, 'SBOM (SPDX)'],
  [/cyclonedx/, 'SBOM (CycloneDX)'],
  [/^application\/vnd\.syft\+json/, 'SBOM (Syft)'],
  [/^application\/vnd\.buildkit\.cacheconfig/, 'build cache'],
  [/^application\/vnd\.(?:wasm|module\.wasm)/, 'WebAssembly module'],
];
const helmConfig = 'application/vnd.cncf.helm.config.v1+json';
const statements = /^application\/vnd\.(?:in-toto\+json|dsse\.envelope)/;
/** On a layer or a manifest of a statement. */
const predicateAnnotations = ['in-toto.io/predicate-type', 'predicateType', 'dev.sigstore.bundle.predicateType'];

/**
 * Tells what a manifest is by its types, and by what its config or its payload says where that is small.
 * @param tag cosign's older tags say what they are of
 */
export function artifactKind(store: ContentStore, node: ManifestNode, tag?: string): ArtifactKind {
  const of =
    node.subject?.digest ?? (tag === undefined ? undefined : referrerTagSubject(tag)) ?? signedDigest(store, node);
  const about = of === undefined ? {} : { of };
  if (node.kind === 'index') return kindOfIndex(node, about);
  if (node.kind === 'schema1') return { kind: 'image (schema 1)' };
  if (node.config?.mediaType === helmConfig) return { kind: 'Helm chart', ...chartFacts(store, node), ...about };
  const types = [
    node.descriptor.artifactType,
    node.config?.mediaType,
    ...node.layers.map(({ mediaType }) => mediaType),
  ];
  const known = kinds.find(([pattern]) => types.some((type) => type !== undefined && pattern.test(type)));
  if (known !== undefined) return { kind: known[1], ...about };
  if (types.some((type) => type !== undefined && statements.test(type)))
    return { kind: kindOfStatement(node), ...about };
  if (node.config !== undefined && isImageConfigType(node.config.mediaType)) return { kind: 'image', ...about };
  return { kind: node.descriptor.artifactType ?? node.config?.mediaType ?? 'artifact', ...about };
}

function kindOfIndex(node: ManifestNode, about: { readonly of?: Digest }): ArtifactKind {
  const runnable = node.children.filter(({ platform }) => platform !== undefined && !isUnknownPlatform(platform));
  if (runnable.length > 0 || node.children.some(({ kind }) => kind === 'index'))
    return { kind: 'multi-arch image', ...about };
  if (about.of !== undefined) return { kind: 'list of referrers', ...about };
  return { kind: node.descriptor.artifactType ?? 'index' };
}

function kindOfStatement(node: ManifestNode): string {
  const annotations = [node.annotations, ...node.layers.map((layer) => layer.annotations ?? {})];
  const predicates = annotations.flatMap((each) => predicateAnnotations.flatMap((name) => each[name] ?? []));
  const names = predicates.map((predicate) => {
    if (/spdx/i.test(predicate)) return 'SBOM (SPDX)';
    if (/cyclonedx/i.test(predicate)) return 'SBOM (CycloneDX)';
    if (/provenance/i.test(predicate)) return 'provenance';
    return predicate;
  });
  return names.length === 0 ? 'attestation' : `attestation: ${[...new Set(names)].join(', ')}`;
}

function chartFacts(
  store: ContentStore,
  { config }: ManifestNode,
): Pick<ArtifactKind, 'name' | 'version' | 'appVersion'> {
  const json = config === undefined ? undefined : readJsonBlob(store, config.digest, limits.configBytes);
  const text = (key: string): string | undefined => {
    const value = json?.[key];
    return typeof value === 'string' ? value : undefined;
  };
  const [name, version, appVersion] = [text('name'), text('version'), text('appVersion')];
  return {
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(appVersion !== undefined && { appVersion }),
  };
}

/** What a cosign payload says that it signs. @see cosign, specs/SIGNATURE_SPEC.md, "Simple Signing" */
function signedDigest(store: ContentStore, node: ManifestNode): Digest | undefined {
  const payload = node.layers.find(({ mediaType }) =>
    mediaType.startsWith('application/vnd.dev.cosign.simplesigning.'),
  );
  const json = payload && readJsonBlob(store, payload.digest, limits.configBytes);
  const critical = json?.['critical'];
  const image = isJsonObject(critical) ? critical['image'] : undefined;
  const said = isJsonObject(image) ? image['docker-manifest-digest'] : undefined;
  return typeof said === 'string' && isDigest(said) ? said : undefined;
}
