import type { Entry, Location } from '../../source/backup.ts';

/** A file of a storage, found by its own path or through a link. */
export interface HeldMember {
  readonly path: string;
  readonly location: Location;
  /** The content of links; undefined for larger files. */
  readonly bytes: Uint8Array | undefined;
  /** @see Entry.text */
  readonly text?: string | undefined;
  /** Seconds since 1970. */
  readonly modified: number;
}

/** What a link holds, without white space around it; undefined where it is too long for one. */
export function linkText({ text, bytes }: Pick<Entry, 'text' | 'bytes'>): string | undefined {
  if (text !== undefined) return text.trim();
  return bytes === undefined
    ? undefined
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').trim();
}
