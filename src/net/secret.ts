import { inspect } from 'node:util';

const shown = '[secret]';

/** A password or token that no log, error, report or JSON can show by accident: only `reveal()` gives it out. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}

/** Replaces every secret that stands in a text, whole or base64-encoded: a server may repeat what it was sent. */
export function redact(text: string, secrets: Iterable<Secret>): string {
  const forms = [...secrets]
    .map((secret) => secret.reveal())
    // Shorter ones would tear holes into ordinary words, and are guessed sooner than read.
    .filter((plain) => plain.length >= 4)
    .flatMap((plain) => [plain, encodeURIComponent(plain), Buffer.from(plain).toString('base64')])
    // Whole pairs before the passwords that end them, or their beginnings would stay.
    .sort((left, right) => right.length - left.length);
  return forms.reduce((result, form) => result.replaceAll(form, shown), text);
}
