import { closeSync, constants, createReadStream, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable } from 'node:stream';

/**
 * Opens a pipe or a device for reading. Nothing waits in the system, where no signal would end it: neither for the
 * first writer of a pipe nor for the next bytes.
 * @param signal destroys the stream
 * @throws the system's error
 */
export function openPipe(path: string, signal: AbortSignal | undefined): Readable {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  let stream: Readable;
  if (fstatSync(descriptor).isFIFO()) stream = new Socket({ fd: descriptor, readable: true, writable: false });
  else {
    closeSync(descriptor);
    stream = createReadStream(path);
  }
  return signal === undefined ? stream : addAbortSignal(signal, stream);
}
