/**
 * Characters that show nothing and do something: controls, line breaks, marks that turn the direction of text or hide
 * in it.
 * @see Unicode general categories Cc, Cf, Zl, Zp
 */
const silent = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const silentButLineFeed = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text from an archive or a server as one line that looks like what it is: what cannot be seen is written `\u202e`. */
export function printable(text: string): string {
  return text.replace(silent, escapeCharacter);
}

/**
 * The same for text of several lines: its line feeds stay, so names in it must have been escaped before. Valid JSON
 * stays the same JSON.
 */
export function printableLines(text: string): string {
  return text.replace(silentButLineFeed, escapeCharacter);
}

/** What a server says, as words on one line: runs of what cannot be seen become a space. */
export function printableWords(text: string): string {
  return text.replace(silent, ' ').replace(/ {2,}/g, ' ').trim();
}

/** In the units of UTF-16, as JSON writes them: a character beyond them takes two. */
function escapeCharacter(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    const unit = character.charCodeAt(index).toString(16).padStart(4, '0');
    return `\\u${unit}`;
  }).join('');
}
