// @ts-check
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * The floor of a push: sends the requests of a file, written beforehand, over as many connections as it is told and does nothing else.
 * No backup is read, nothing hashed, chosen or tried again, and answers are looked at for status and Location alone.
 * `node bare-client.js HOST CONNECTIONS REQUESTS.json`
 *
 * @typedef {{ method: 'POST' | 'PUT', path: string, type?: string, file?: string, size?: number, digest?: string }} BareRequest
 * an upload has a `digest`, and is its POST with the PUT of the bytes of `file` to the Location that comes back
 * @typedef {readonly (readonly BareRequest[])[]} BareRequests each list begins when the one before has ended
 */

const [host = '', connections = '', requestsFile = ''] = process.argv.slice(2);
const phases = /** @type {BareRequests} */ (JSON.parse(readFileSync(requestsFile, 'utf8')));
const chunk = 256 * 1024;

const lines = await Promise.all(Array.from({ length: Number(connections) }, () => openLine(host)));
for (const requests of phases) {
  let next = 0;
  await Promise.all(
    lines.map(async (line) => {
      for (let request = requests[next++]; request !== undefined; request = requests[next++])
        await carryOut(line, request);
    }),
  );
}
for (const line of lines) line.end();

/** @param {Awaited<ReturnType<typeof openLine>>} line @param {BareRequest} request */
async function carryOut(line, { method, path, type, file, size, digest }) {
  if (digest === undefined) return expect(201, await line.ask(method, path, type, file, size));
  const begun = expect(202, await line.ask('POST', path));
  const { pathname, search } = new URL(begun.location, `http://${host}`);
  return expect(
    201,
    await line.ask('PUT', `${pathname}${search}&digest=${digest}`, 'application/octet-stream', file, size),
  );
}

/** @param {number} status @param {{ status: number, location: string }} answer */
function expect(status, answer) {
  if (answer.status !== status) throw new Error(`answered ${answer.status} instead of ${status}`);
  return answer;
}

/** One connection; a request at a time. @param {string} address */
async function openLine(address) {
  const [name = '', port = ''] = address.split(':');
  const socket = connect(Number(port), name).setNoDelay(true);
  /** @type {(answer: { status: number, location: string }) => void} */
  let resolve;
  /** @type {(error: Error) => void} */
  let reject;
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (/** @type {string} */ data) => {
    text += data;
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    if (text.length < end + 4 + length) return;
    const answer = { status: Number(text.slice(9, 12)), location: /\r\nlocation: *(\S+)/i.exec(text)?.[1] ?? '' };
    text = '';
    resolve(answer);
  });
  socket.on('error', (error) => reject(error));
  socket.on('close', () => reject(new Error('the registry closed the connection')));
  const buffer = Buffer.allocUnsafeSlow(chunk);
  const wrote = () => new Promise((/** @type {(value: void) => void} */ done) => socket.once('drain', () => done()));
  return {
    /** @param {string} method @param {string} path @param {string} [type] @param {string} [file] @param {number} [size] @returns {Promise<{ status: number, location: string }>} */
    async ask(method, path, type, file, size = 0) {
      const answered = new Promise(
        (/** @type {(answer: { status: number, location: string }) => void} */ onAnswer, onError) => {
          resolve = onAnswer;
          reject = onError;
        },
      );
      answered.catch(() => undefined);
      const head = `${method} ${path} HTTP/1.1\r\nHost: ${address}\r\nContent-Length: ${size}\r\n${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`;
      if (file === undefined) socket.write(head);
      else if (size <= chunk) socket.write(Buffer.concat([Buffer.from(head), readFileSync(file)]));
      else {
        socket.write(head);
        const descriptor = openSync(file, 'r');
        for (let count = readSync(descriptor, buffer); count > 0; count = readSync(descriptor, buffer))
          if (!socket.write(Buffer.from(buffer.subarray(0, count)))) await wrote();
        closeSync(descriptor);
      }
      return answered;
    },
    end: () => socket.removeAllListeners('close').end(),
  };
}
