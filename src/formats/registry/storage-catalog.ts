import type { Catalog } from '../../content/contracts.ts';
import type { PlacedBlobs } from '../blob-table.ts';

/** What a scan found: names and digests for `Catalog`, places for the content store. */
export interface StorageCatalog extends Catalog {
  /** Every digest that is held or referred to, with its place. */
  readonly stored: PlacedBlobs;
  /** When the newest link of a tag was written, in seconds since 1970: decides between several backups. */
  tagModified(repository: string, tag: string): number;
}
