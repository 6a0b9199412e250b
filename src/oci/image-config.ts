import type { Platform } from './platform.ts';

/** What regtar reads of an image's config. @see OCI image-spec v1.1 config.md */
export interface ImageConfig {
  readonly platform: Platform | undefined;
  readonly created: string | undefined;
  readonly diffIds: readonly string[];
}

/** @returns undefined when the bytes are not an image config: artifacts may carry any config */
export function parseImageConfig(bytes: Uint8Array): ImageConfig | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const { os, architecture, variant, created, rootfs } = json as Readonly<Record<string, unknown>>;
  const isPlatform = typeof os === 'string' && typeof architecture === 'string' && os !== '' && architecture !== '';
  return {
    platform: isPlatform
      ? { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) }
      : undefined,
    created: typeof created === 'string' ? created : undefined,
    diffIds: diffIdsOf(rootfs),
  };
}

function diffIdsOf(rootfs: unknown): readonly string[] {
  const ids: unknown =
    typeof rootfs === 'object' && rootfs !== null && 'diff_ids' in rootfs ? rootfs.diff_ids : undefined;
  return Array.isArray(ids) && ids.every((id) => typeof id === 'string') ? ids : [];
}
