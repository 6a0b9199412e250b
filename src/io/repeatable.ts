/**
 * What a generator gives, made again each time that it is gone through: half a million digests in a list are fifty
 * megabytes.
 * @param go begins anew
 */
export function repeatable<Item>(go: () => Iterator<Item>): Iterable<Item> {
  return { [Symbol.iterator]: go };
}

/** Those that fulfil a condition, looked for each time. @param items can be gone through more than once */
export function filtered<Item>(items: Iterable<Item>, isWanted: (item: Item) => boolean): Iterable<Item> {
  return repeatable(function* () {
    for (const item of items) if (isWanted(item)) yield item;
  });
}

/** Each item as something else, made each time. @param items can be gone through more than once */
export function mapped<Item, Result>(items: Iterable<Item>, make: (item: Item) => Result): Iterable<Result> {
  return repeatable(function* () {
    for (const item of items) yield make(item);
  });
}
