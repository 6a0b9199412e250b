/**
 * Puts what has the same key together.
 * @returns the biggest group first; groups of one size, and what is in a group, as they came
 */
export function groupBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): (readonly [key: string, group: readonly [Item, ...Item[]]])[] {
  const groups = new Map<string, [Item, ...Item[]]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups].sort(([, left], [, right]) => right.length - left.length);
}
