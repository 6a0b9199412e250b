import type { ImageTarget } from '../../content/contracts.ts';
import { imageFolderName } from '../dir/file-names.ts';
import type { Split } from '../options.ts';

/** Names the archives that `--split` makes of one OUT. */
export interface SplitNames {
  /** Images with the same key go into the same archive, as long as there is room. */
  keyOf(target: ImageTarget): string;
  /** The path of the archive that begins with an image: `images.tar` becomes `images-<name>.tar`. */
  next(path: string, target: ImageTarget): string;
}

/** No archive has a name yet. Without a split, `next` is the path itself. */
export function createSplitNames(split: Split | undefined): SplitNames {
  const uses = new Map<string, number>();
  const keyOf = (target: ImageTarget): string =>
    split === 'image' ? imageFolderName(target, 'safe') : split === 'repository' ? target.repository : '';
  return {
    keyOf,
    next(path, target) {
      if (split === undefined) return path;
      const name = typeof split === 'object' ? `${uses.size + 1}`.padStart(4, '0') : keyOf(target).replaceAll('/', '+');
      // A name that comes again, after others, gets a number.
      const times = (uses.get(name) ?? 0) + 1;
      uses.set(name, times);
      return `${path.replace(/\.tar$/, '')}-${name}${times > 1 ? `-${times}` : ''}.tar`;
    },
  };
}
