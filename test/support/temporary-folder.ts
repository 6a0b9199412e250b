import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryFolder {
  readonly path: string;
  /** `join(path, …parts)` */
  file(...parts: readonly string[]): string;
  /** Removes it with everything in it; may be called twice. */
  remove(): void;
}

const open = new Set<TemporaryFolder>();
let isWatched = false;

/** A new empty folder. `remove()` belongs into `afterAll` or `onTestFinished`; what is forgotten goes when the process ends. */
export function temporaryFolder(): TemporaryFolder {
  if (!isWatched) process.once('exit', removeAll);
  isWatched = true;
  // Short on purpose: sockets of engines lie inside, and a socket's path has at most 107 bytes.
  const path = mkdtempSync(join(tmpdir(), 'regtar-'));
  const folder: TemporaryFolder = {
    path,
    file: (...parts) => join(path, ...parts),
    remove: () => {
      open.delete(folder);
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
  open.add(folder);
  return folder;
}

function removeAll(): void {
  for (const folder of open) folder.remove();
}
