import { generateBackup as generate, type GeneratedBackup } from '../../bench/backup/generate-backup.js';
import { withUsual, type BackupParameters } from '../../bench/backup/parameters.js';

export type { BackupParameters, GeneratedBackup };

/**
 * Makes a backup of any scale for a test, as GNU tar would have packed it: `generateBackup({ images: 50 }, folder)`. What is not said is
 * usual: 100 images in 20 repositories, 20 MB, a few multi-arch. Same parameters, same bytes; a file that is there already is used again.
 * Layers look compressed but do not unpack: for tests of what is inside them, use `buildStorage`.
 */
export function generateBackup(parameters: Partial<BackupParameters>, folder: string): GeneratedBackup {
  return generate(withUsual(parameters), folder);
}
