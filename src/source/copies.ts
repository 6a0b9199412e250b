/** Copies are packed into pages of this size, which are hashed and read as one. */
const pageBytes = 256 * 1024;

/** What is copied at most: manifests and configs are smaller, save for few. */
export const longestCopyBytes = 64 * 1024;

/**
 * Room for copies of small files, taken while their archive is scanned: they lie beside headers that are read anyway.
 */
export interface Copies {
  /**
   * @param fill writes `size` bytes at `at`. @returns whether it could
   * @returns where the copy is: page times `pageBytes` and its place in the page; undefined when there is no room left
   */
  add(size: number, fill: (page: Buffer, at: number) => boolean): number | undefined;
  /** Ends the last page. */
  end(): void;
}

/**
 * Packs copies one after the other; none is ever cut by the end of a page.
 * @param take gets each page when it is full, cut to what is in it
 */
export function packCopies(mostPages: number, take: (page: Buffer) => void): Copies {
  let page: Buffer | undefined;
  let number = 0;
  let used = 0;
  const endPage = (): void => {
    if (page === undefined) return;
    take(page.subarray(0, used));
    page = undefined;
    number++;
    used = 0;
  };
  return {
    add(size, fill) {
      if (used + size > pageBytes) endPage();
      if (page === undefined && number >= mostPages) return undefined;
      page ??= Buffer.allocUnsafeSlow(pageBytes);
      if (!fill(page, used)) return undefined;
      used += size;
      return number * pageBytes + used - size;
    },
    end: endPage,
  };
}

/** A copy out of its page. @returns undefined when it is not inside the page */
export function copyIn(page: Uint8Array | undefined, copy: number, size: number): Uint8Array | undefined {
  const at = copy % pageBytes;
  return page === undefined || at + size > page.length ? undefined : page.subarray(at, at + size);
}

/** Which page of copies a copy is on. */
export function pageOf(copy: number): number {
  return Math.floor(copy / pageBytes);
}
