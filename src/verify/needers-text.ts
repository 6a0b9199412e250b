const namesShown = 3;

/** Says at the end of a message which images need something: `; needed by a:1, b:1 and 7 more`. @param names sorted */
export function needersText(names: readonly string[]): string {
  const rest = names.length - namesShown;
  return `; needed by ${names.slice(0, namesShown).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
