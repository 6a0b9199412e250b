/** One scan of several: the stretch from `start` on up to where another one began. */
export interface Part {
  readonly start: number;
  /** How far the scan is; it may be behind the beginning of the next one where that was guessed wrong. */
  position: number;
  /** How often nothing was found in it at which another scan could begin. */
  failures: number;
}

/** A stretch that another scan may take a piece of. */
export interface Gap {
  /** Bytes in which its beginning is looked for. */
  readonly from: number;
  readonly to: number;
  /** To be called once. @param start where a member begins; undefined where none was found. @returns the new part */
  settle(start: number | undefined): Part | undefined;
}

/**
 * Which scan walks what. Members lie unevenly: a gigabyte of layers is a few hundred of them or ten thousand. So an
 * archive is not divided beforehand: who has nothing to do takes half of the longest stretch that is left.
 */
export interface PartList {
  /** The scan that begins at the beginning. */
  readonly first: Part;
  /** The first part that begins at `position` or behind it. */
  partFrom(position: number): Part | undefined;
  /** Forgets a part: what is left of it is left to the scan from the beginning. */
  drop(part: Part): void;
  /** The longest stretch that is left; undefined where none is long enough. */
  takeGap(): Gap | undefined;
}

/** Where nothing was found twice there are large layers: other stretches have more to find. */
const mostFailures = 8;

/** @param size of the whole, @param shortest nothing shorter than twice this is divided; both in bytes */
export function createPartList(size: number, shortest: number): PartList {
  const first: Part = { start: 0, position: 0, failures: 0 };
  /** By `start`. */
  const parts: Part[] = [first];
  /** Middles in which a beginning is being looked for; they count as if it had been found. */
  const sought = new Set<Omit<Part, 'start'>>();

  const partFrom = (position: number): Part | undefined =>
    parts.find((part) => part !== first && part.start >= position);
  const add = (start: number): Part | undefined => {
    const at = parts.findIndex((part) => part.start > start);
    const index = at < 0 ? parts.length : at;
    const before = parts[index - 1];
    if (before === undefined || parts.some((part) => part.start <= start && start <= part.position)) return undefined;
    const part: Part = { start, position: start, failures: 0 };
    parts.splice(index, 0, part);
    return part;
  };

  return {
    first,
    partFrom,
    drop: (part) => void parts.splice(parts.indexOf(part), 1),
    takeGap() {
      const bounds = [...parts.map(({ start }) => start), ...[...sought].map(({ position }) => position), size].sort(
        (left, right) => left - right,
      );
      const stretches = [...parts, ...sought].map((owner) => ({
        owner,
        from: owner.position,
        end: bounds.find((bound) => bound > owner.position) ?? size,
      }));
      const [widest] = stretches
        .filter(({ owner, from, end }) => owner.failures < mostFailures && end - from >= 2 * shortest)
        // Who is at the beginning of another part, or inside it, waits or is at its end.
        .filter(
          ({ owner, from }) => !parts.some((part) => part !== owner && part.start <= from && from <= part.position),
        )
        .sort((left, right) => right.end - right.from - (left.end - left.from));
      if (widest === undefined) return undefined;
      const { owner, from, end } = widest;
      const half = { position: from + Math.floor((end - from) / 2), failures: 0 };
      sought.add(half);
      return {
        from: half.position,
        to: from + Math.floor((end - from) * 0.75),
        settle(start) {
          sought.delete(half);
          const part = start === undefined ? undefined : add(start);
          if (part === undefined) owner.failures++;
          return part;
        },
      };
    },
  };
}
