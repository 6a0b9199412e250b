import type { FileRange } from './random-access.ts';

/** One file to make, in a folder of its own. */
export interface CopyTask {
  readonly id: number;
  /** What the file consists of: these bytes, or stretches of other files that give the digest. */
  readonly content:
    string | { readonly ranges: readonly FileRange[]; readonly algorithm: string; readonly hex: string };
  /** The folder that is made for it, where nobody looks. */
  readonly temporary: string;
  /** The file's name in it. */
  readonly name: string;
  /** What the folder is called at last. */
  readonly final: string;
  readonly rights: CopyRights;
  /** One Int32: anything but 0 means that the file is not waited for any more. Absent for what takes no time. */
  readonly cancelled: SharedArrayBuffer | undefined;
}

/** Whom a file and its folder belong to, and their permissions. */
export interface CopyRights {
  readonly uid: number;
  readonly gid: number;
  readonly folder: number;
  readonly file: number;
}

/**
 * Bytes as they are written; then what became of the file:
 * - `named`: it is there, under its final name, with its folder
 * - `unnamed`: it is whole and synced, and its folder could not get its name: there may be such a folder already
 * - `failed`: it could not be made or is not right, and nothing is left of it
 */
export type CopyAnswer =
  | { readonly id: number; readonly bytes: number }
  | { readonly id: number; readonly outcome: 'named' | 'unnamed'; readonly inode: number; readonly bytes: number }
  | { readonly id: number; readonly outcome: 'failed' };

/**
 * What a worker thread runs. It starts from this function's own text: then it needs no file beside the program,
 * wherever and however that was bundled. So it uses nothing from outside itself, and types only of what is imported.
 */
export function copyWorker(): void {
  const { parentPort, ...threads } = process.getBuiltinModule('node:worker_threads');
  const fs = process.getBuiltinModule('node:fs');
  const { createHash } = process.getBuiltinModule('node:crypto');
  const buffer = Buffer.allocUnsafeSlow((threads.workerData as { readonly bufferBytes: number }).bufferBytes);
  const zeros = Buffer.alloc(buffer.length);
  /** Smaller holes save no block. */
  const smallestHole = 64 * 1024;
  const bytesPerAnswer = 8 * 1024 * 1024;
  let source = { path: '', descriptor: -1 };

  const answer = (message: CopyAnswer): void => parentPort?.postMessage(message);

  const open = (path: string): number => {
    if (source.path === path) return source.descriptor;
    if (source.descriptor >= 0) fs.closeSync(source.descriptor);
    source = { path: '', descriptor: -1 };
    source = { path, descriptor: fs.openSync(path, 'r') };
    return source.descriptor;
  };

  /** Zeros need no room on the disk. */
  const isHole = (chunk: Buffer): boolean =>
    chunk[0] === 0 && chunk.length >= smallestHole && zeros.subarray(0, chunk.length).equals(chunk);

  const write = (target: number, chunk: Buffer, position: number): void => {
    for (let done = 0; done < chunk.length;)
      done += fs.writeSync(target, chunk, done, chunk.length - done, position + done);
  };

  /** @returns how many bytes have not been told yet; undefined when the file has not the bytes that it should have */
  const fill = ({ id, content, cancelled }: CopyTask, target: number): number | undefined => {
    if (typeof content === 'string') {
      const bytes = Buffer.from(content, 'latin1');
      write(target, bytes, 0);
      return bytes.length;
    }
    const stop = cancelled && new Int32Array(cancelled);
    const hash = createHash(content.algorithm);
    let position = 0;
    let said = 0;
    let isHoleLast = false;
    for (const { path, start, size } of content.ranges) {
      for (let done = 0; done < size;) {
        if (stop !== undefined && Atomics.load(stop, 0) !== 0) return undefined;
        const count = fs.readSync(open(path), buffer, 0, Math.min(buffer.length, size - done), start + done);
        if (count === 0) return undefined;
        const chunk = buffer.subarray(0, count);
        hash.update(chunk);
        isHoleLast = isHole(chunk);
        if (!isHoleLast) write(target, chunk, position);
        position += count;
        done += count;
        if (position - said >= bytesPerAnswer) {
          answer({ id, bytes: position - said });
          said = position;
        }
      }
    }
    if (isHoleLast) fs.ftruncateSync(target, position);
    return hash.digest('hex') === content.hex ? position - said : undefined;
  };

  const undo = ({ id, temporary }: CopyTask, target: number): void => {
    // The main thread does it again and finds the words for what is wrong.
    source = { path: '', descriptor: -1 };
    if (target >= 0) fs.closeSync(target);
    try {
      fs.rmSync(temporary, { recursive: true, force: true });
    } catch {
      // It lies among what is removed at the end.
    }
    answer({ id, outcome: 'failed' });
  };

  const giveRights = ({ temporary, rights }: CopyTask, target: number): number => {
    const { uid, gid, mode, ino } = fs.fstatSync(target);
    if (uid !== rights.uid || gid !== rights.gid) fs.fchownSync(target, rights.uid, rights.gid);
    if ((mode & 0o7777) !== rights.file) fs.fchmodSync(target, rights.file);
    let folder = fs.statSync(temporary);
    if (folder.uid !== rights.uid || folder.gid !== rights.gid) {
      fs.chownSync(temporary, rights.uid, rights.gid);
      // That may take the set-group bit away.
      folder = fs.statSync(temporary);
    }
    if ((folder.mode & 0o7777) !== rights.folder) fs.chmodSync(temporary, rights.folder);
    return ino;
  };

  const finish = ({ id, temporary, final }: CopyTask, inode: number, bytes: number): void => {
    try {
      // Refused by the system where a folder of that name holds anything.
      fs.renameSync(temporary, final);
    } catch {
      return answer({ id, outcome: 'unnamed', inode, bytes });
    }
    answer({ id, outcome: 'named', inode, bytes });
  };

  parentPort?.on('message', (task: CopyTask) => {
    let target = -1;
    try {
      fs.mkdirSync(task.temporary);
      target = fs.openSync(`${task.temporary}/${task.name}`, 'wx');
      const bytes = fill(task, target);
      if (bytes === undefined) return undo(task, target);
      const inode = giveRights(task, target);
      // A link that a power cut emptied is named by its path; a blob is not.
      if (typeof task.content === 'string') {
        fs.closeSync(target);
        return finish(task, inode, bytes);
      }
      const file = target;
      // Several are on their way to the disk at once, while the next is copied.
      fs.fsync(file, (error) => {
        if (error !== null) return undo(task, file);
        fs.closeSync(file);
        finish(task, inode, bytes);
      });
    } catch {
      undo(task, target);
    }
  });
}
