import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { RegtarError } from '../errors.ts';
import { writeFileAtomically } from '../io/write-file.ts';

/** Writes a report whole or not at all, over an earlier one of its name. @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE */
export function writeReport(path: string, text: string): void {
  if (!existsSync(dirname(path)))
    throw new RegtarError(
      'OUTPUT_UNWRITABLE',
      `the report ${path} cannot be written: the folder ${dirname(path)} is not there`,
      { side: 'usage', where: { path }, hint: 'make the folder, or name another file' },
    );
  writeFileAtomically(path, Buffer.from(text));
}
