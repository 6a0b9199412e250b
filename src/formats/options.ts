import type { BlobNumbers } from '../content/contracts.ts';
import type { OutputStream } from '../io/output-stream.ts';
import type { OwnerIds } from '../io/output-folder.ts';
import type { Place } from './registry/place.ts';

/** How archives are cut: one an image, one a repository, or as many as keep each below a number of bytes. */
export type Split = 'image' | 'repository' | { readonly bytes: number };

/** What every format that writes files understands; a format ignores what has no meaning for it. */
export interface FileSinkOptions {
  /** A folder, a file that ends in `.tar`, or `-` for the stream `descriptor`. */
  readonly out: string;
  /** Empties what regtar made at `out` before; never what it did not make. @defaultValue false */
  readonly force?: boolean;
  /**
   * Hard-links the source's own files where it has them, instead of copying. Bytes are then not read, so only sizes are
   * checked: made for trees of terabytes on one disk; `regtar verify` reads them.
   * @defaultValue false
   */
  readonly link?: boolean;
  /** `safe` writes names that exFAT and NTFS accept. @defaultValue `skopeo`, which `skopeo sync` reads */
  readonly pathStyle?: 'skopeo' | 'safe';
  /** One OCI layout for each repository instead of one for all. @defaultValue false */
  readonly perRepository?: boolean;
  /** Put before names that loaders see: `harbor.example.com/project`. */
  readonly prefix?: string | undefined;
  readonly split?: Split | undefined;
  /** A set of archives of at most so many bytes each, in the folder `out`. */
  readonly volumeSize?: number | undefined;
  /**
   * Goes on with what an earlier run left: what is there is kept when its bytes are right.
   * @defaultValue false: files of a folder count by their sizes, and an archive begins again
   */
  readonly resume?: boolean | undefined;
  /**
   * Numbers of the digests that the images are made of, so that what is written need not be remembered by them; absent
   * where there are none.
   */
  readonly numbers?: BlobNumbers | undefined;
  /** Whom files of a registry's storage belong to, as numbers. */
  readonly owner?: OwnerIds | undefined;
  /** Where a registry's storage goes that is not a folder of this machine: a bucket. */
  readonly place?: Place | undefined;
  /** An open file descriptor for `-`, 1 where absent, or for a pipe or device that OUT names. */
  readonly descriptor?: number | undefined;
  /** Where `-` goes instead of a descriptor. */
  readonly stream?: OutputStream;
}
