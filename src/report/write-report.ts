import { writeNamedFile } from '../io/named-file.ts';

/**
 * Writes a report: a file whole or not at all, over an earlier one of its name; into a pipe or a device as it is.
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export async function writeReport(
  path: string,
  text: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await writeNamedFile(path, Buffer.from(text), options);
}
