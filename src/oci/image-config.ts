import * as v from 'valibot';
import type { Platform } from './platform.ts';

/** What regtar reads of an image's config. @see OCI image-spec v1.1 config.md */
export interface ImageConfig {
  readonly platform: Platform | undefined;
  readonly created: string | undefined;
  readonly diffIds: readonly string[];
}

const schema = v.object({
  os: v.optional(v.string()),
  architecture: v.optional(v.string()),
  variant: v.optional(v.string()),
  created: v.optional(v.nullable(v.string())),
  rootfs: v.optional(v.object({ diff_ids: v.optional(v.nullable(v.array(v.string()))) })),
});

/** @returns undefined when the bytes are no image config: artifacts may carry any config */
export function parseImageConfig(bytes: Uint8Array): ImageConfig | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
  const result = v.safeParse(schema, json);
  if (!result.success) return undefined;
  const { os, architecture, variant, created, rootfs } = result.output;
  return {
    platform: os && architecture ? { os, architecture, ...(variant !== undefined && variant !== '' && { variant }) } : undefined,
    created: created ?? undefined,
    diffIds: rootfs?.diff_ids ?? [],
  };
}
