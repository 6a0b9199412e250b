import type { createHoleFinder } from './hole-finder.ts';
import type { FileRange } from './random-access.ts';

/** Where a new file goes: into a folder of its own, which gets its name when the file is whole. */
export interface NewFile {
  /** A folder that is not there, on the same file system. */
  readonly temporary: string;
  /** What the folder is called at last; the one above it is there. */
  readonly final: string;
  /** The file's name in it. */
  readonly name: string;
  readonly rights: CopyRights;
}

/** One file to make. */
export interface CopyTask {
  readonly id: number;
  readonly file: NewFile;
  /** What the file consists of: these bytes, or stretches of other files that give the digest. */
  readonly content:
    string | { readonly ranges: readonly FileRange[]; readonly algorithm: string; readonly hex: string };
  /** A file of a few bytes that is made once the first one has its name. */
  readonly next: { readonly file: NewFile; readonly content: string } | undefined;
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
 * - `named`: it is there, under its final name, with its folder; `next` is the inode of the next file where that is
 *   there, too, and nothing is left of it otherwise
 * - `unnamed`: it is whole and synced, and its folder could not get its name: there may be such a folder already
 * - `failed`: it could not be made or is not right, and nothing is left of it
 */
export type CopyAnswer =
  | { readonly id: number; readonly bytes: number }
  | {
      readonly id: number;
      readonly outcome: 'named';
      readonly inode: number;
      readonly next: number | undefined;
      readonly bytes: number;
    }
  | { readonly id: number; readonly outcome: 'unnamed'; readonly inode: number; readonly bytes: number }
  | { readonly id: number; readonly outcome: 'failed' };

/**
 * What a worker thread runs. It starts from this function's own text: then it needs no file beside the program,
 * wherever and however that was bundled. So it uses nothing from outside itself but its argument, and types only of
 * what is imported.
 */
export function copyWorker(findHoles: typeof createHoleFinder): void {
  const { parentPort, ...threads } = process.getBuiltinModule('node:worker_threads');
  const fs = process.getBuiltinModule('node:fs');
  const { createHash } = process.getBuiltinModule('node:crypto');
  const buffer = Buffer.allocUnsafeSlow((threads.workerData as { readonly bufferBytes: number }).bufferBytes);
  const isHole = findHoles(buffer.length);
  const bytesPerAnswer = 8 * 1024 * 1024;
  let source = { path: '', descriptor: -1 };

  /** A message costs as much as a small file, so what is ready at the same time goes together. */
  let answers: CopyAnswer[] = [];
  const send = (): void => {
    if (answers.length === 0) return;
    parentPort?.postMessage(answers);
    answers = [];
  };

  const open = (path: string): number => {
    if (source.path === path) return source.descriptor;
    if (source.descriptor >= 0) fs.closeSync(source.descriptor);
    source = { path: '', descriptor: -1 };
    source = { path, descriptor: fs.openSync(path, 'r') };
    return source.descriptor;
  };

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
    // That takes a while, and others are waiting.
    send();
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
          answers.push({ id, bytes: position - said });
          send();
          said = position;
        }
      }
    }
    if (isHoleLast) fs.ftruncateSync(target, position);
    return hash.digest('hex') === content.hex ? position - said : undefined;
  };

  const discard = (temporary: string, target: number): void => {
    try {
      if (target >= 0) fs.closeSync(target);
      fs.rmSync(temporary, { recursive: true, force: true });
    } catch {
      // It lies among what is removed at the end.
    }
  };

  const undo = ({ id, file }: CopyTask, target: number): void => {
    // The main thread does it again and finds the words for what is wrong.
    source = { path: '', descriptor: -1 };
    discard(file.temporary, target);
    answers.push({ id, outcome: 'failed' });
  };

  const create = ({ temporary, name }: NewFile): number => {
    fs.mkdirSync(temporary);
    return fs.openSync(`${temporary}/${name}`, 'wx');
  };

  const giveRights = ({ temporary, rights }: NewFile, target: number): number => {
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

  /** @returns its inode; undefined where it could not be made, mostly because it is there */
  const makeNext = (next: CopyTask['next']): number | undefined => {
    if (next === undefined) return undefined;
    let target = -1;
    try {
      target = create(next.file);
      write(target, Buffer.from(next.content, 'latin1'), 0);
      const inode = giveRights(next.file, target);
      fs.closeSync(target);
      target = -1;
      fs.renameSync(next.file.temporary, next.file.final);
      return inode;
    } catch {
      discard(next.file.temporary, target);
      return undefined;
    }
  };

  const finish = ({ id, file, next }: CopyTask, inode: number, bytes: number): void => {
    try {
      // Refused by the system where a folder of that name holds anything.
      fs.renameSync(file.temporary, file.final);
    } catch {
      answers.push({ id, outcome: 'unnamed', inode, bytes });
      return;
    }
    answers.push({ id, outcome: 'named', inode, next: makeNext(next), bytes });
  };

  const carryOut = (task: CopyTask): void => {
    let target = -1;
    try {
      target = create(task.file);
      const bytes = fill(task, target);
      if (bytes === undefined) return undo(task, target);
      const inode = giveRights(task.file, target);
      // A link that a power cut emptied is named by its path; a blob is not.
      if (typeof task.content === 'string') {
        fs.closeSync(target);
        return finish(task, inode, bytes);
      }
      const written = target;
      // Several are on their way to the disk at once, while the next is copied.
      fs.fsync(written, (error) => {
        if (error !== null) undo(task, written);
        else {
          fs.closeSync(written);
          finish(task, inode, bytes);
        }
        send();
      });
    } catch {
      undo(task, target);
    }
  };

  parentPort?.on('message', (tasks: readonly CopyTask[]) => {
    for (const task of tasks) carryOut(task);
    send();
  });
}
