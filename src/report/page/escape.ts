import { printable } from '../../io/printable.ts';

/**
 * Text as HTML, in elements and in quoted attributes. What cannot be seen becomes visible: a name must look like what
 * it is.
 */
export function escapeHtml(text: string): string {
  return text
    .replaceAll(/[^\t\n]+/g, printable)
    .replaceAll(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A value as JSON that may stand inside a script element: nothing in it ends that element. */
export function escapeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
