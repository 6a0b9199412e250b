import { writeFileAtomically } from '../io/write-file.ts';

/** Writes a report whole or not at all, over an earlier one of its name. @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE */
export function writeReport(path: string, text: string): void {
  writeFileAtomically(path, Buffer.from(text), `${path}.regtar-${process.pid}`);
}
