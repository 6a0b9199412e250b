import { mapped } from '../io/repeatable.ts';
import { writeNamedFile } from '../io/named-file.ts';

/**
 * Writes a report: a file whole or not at all, over an earlier one of its name; into a pipe or a device as it is.
 * @param text or pieces of it, which can be gone through more than once
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export async function writeReport(
  path: string,
  text: string | Iterable<string>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await writeNamedFile(
    path,
    typeof text === 'string' ? Buffer.from(text) : mapped(text, (piece) => Buffer.from(piece)),
    options,
  );
}
