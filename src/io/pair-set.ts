/**
 * Pairs of texts, each once. Many pairs have few first texts: joined to one text each, a million of them would take a
 * hundred megabytes more.
 */
export class PairSet<First, Second> {
  private readonly seconds = new Map<First, Set<Second>>();

  has(first: First, second: Second): boolean {
    return this.seconds.get(first)?.has(second) === true;
  }

  add(first: First, second: Second): void {
    const known = this.seconds.get(first);
    if (known === undefined) this.seconds.set(first, new Set([second]));
    else known.add(second);
  }
}
