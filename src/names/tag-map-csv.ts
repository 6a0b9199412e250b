import type { NumberedLine } from '../io/read-lines.ts';
import { invalidTagMap, type TagMapOptions, type TagMapRow } from './tag-map-row.ts';

const columns = ['repository', 'tag', 'digest'] as const;

/**
 * `repository,tag,digest`, with or without a header; a header may name the columns in another order, and further ones.
 * `#` begins a comment.
 */
export async function* parseCsvTagMap(
  lines: AsyncIterable<NumberedLine>,
  options: TagMapOptions,
): AsyncGenerator<TagMapRow> {
  let places: readonly number[] = [0, 1, 2];
  let isFirst = true;
  for await (const { number, text } of lines) {
    if (text.trim() === '' || text.startsWith('#')) continue;
    const fields = splitFields(text);
    if (fields === undefined) throw invalidTagMap(options, number, 'a quoted field does not end');
    if (isFirst) {
      isFirst = false;
      const header = fields.map((field) => field.toLowerCase());
      const found = columns.map((column) => header.indexOf(column));
      if (found.every((place) => place >= 0)) {
        places = found;
        continue;
      }
    }
    const [repository, tag, digest] = places.map((place) => fields[place]);
    if (repository === undefined || tag === undefined || digest === undefined)
      throw invalidTagMap(options, number, `"${text.slice(0, 200)}" is not repository,tag,digest`);
    yield { repository, tag, digest, line: number };
  }
}

/**
 * @see RFC 4180; names hold no line ends, so a field never spans lines.
 * @returns undefined when a quote is not closed
 */
function splitFields(text: string): string[] | undefined {
  const fields: string[] = [];
  for (let at = 0; at <= text.length;) {
    if (text[at] === '"') {
      let field = '';
      let end = at + 1;
      for (;;) {
        const quote = text.indexOf('"', end);
        if (quote < 0) return undefined;
        field += text.slice(end, quote);
        end = quote + 1;
        if (text[end] !== '"') break;
        field += '"';
        end += 1;
      }
      fields.push(field);
      const comma = text.indexOf(',', end);
      at = comma < 0 ? text.length + 1 : comma + 1;
    } else {
      const comma = text.indexOf(',', at);
      fields.push(text.slice(at, comma < 0 ? text.length : comma).trim());
      at = comma < 0 ? text.length + 1 : comma + 1;
    }
  }
  return fields;
}
