import { isObject } from './exchange.ts';
import type { ManifestFacts } from './manifest-rules.ts';

const imageTypes = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
const objectTypes = [
  'application/vnd.cncf.helm.config.v1+json',
  'application/vnd.cnai.model.manifest.v1+json',
  'application/vnd.goharbor.harbor.sbom.v1',
];

/**
 * Whether the core can read a config, as measured: images' as typed fields, charts' and those whose type names a kind as objects, others not at
 * all. Of the many fields of an image that may be wrong it knows the platform's.
 */
export function isReadable(facts: ManifestFacts, bytes: Buffer): boolean {
  const configType = facts.config?.mediaType ?? '';
  const type = facts.artifactType ?? configType;
  const isImage = imageTypes.includes(type);
  if (isImage || objectTypes.includes(type)) return bytes.length === 0 || fits(bytes, isImage);
  const isWasm = Object.keys(facts.annotations ?? {}).some((key) => /^(?:module\.wasm|run\.oci)/.test(key));
  const isKind = !isWasm && /^application\/vnd\.[^.]+\..+\.config\.[^.]+\+json$/.test(configType);
  return !isKind || fits(bytes, false);
}

function fits(bytes: Buffer, isImage: boolean): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (value === null) return true;
    if (!isObject(value)) return false;
    return !isImage || ['architecture', 'os', 'variant'].every((key) => typeof (value[key] ?? '') === 'string');
  } catch {
    return false;
  }
}
