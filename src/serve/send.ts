import type { ServerResponse } from 'node:http';
import type { Buffers } from './buffers.ts';
import type { CheckedBlobs } from './checked-blobs.ts';
import type { BlobPiece, RegistryAnswer } from './request.ts';

/** A client that takes everything at once must not keep others waiting: so many bytes, then they have their turn. */
const mostUnyielded = 1024 * 1024;

/**
 * Sends an answer, a chunk at a time and never more than the client takes.
 * @throws what reading throws; nothing was sent where `response.headersSent` is false then
 * @throws ClientGone where the client went away before the end
 */
export async function sendAnswer(
  response: ServerResponse,
  answer: RegistryAnswer,
  { blobs, buffers }: { readonly blobs: CheckedBlobs; readonly buffers: Buffers },
): Promise<void> {
  if (!answer.body.some(isBlobPiece)) {
    const [bytes] = answer.body;
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body.length > 1 ? Buffer.concat(answer.body.filter(isBytes)) : bytes);
    return;
  }
  let unyielded = 0;
  const bytes = answer.body.reduce((sum, piece) => sum + (isBytes(piece) ? 0 : piece.end - piece.start), 0);
  await buffers.lend(bytes, async (buffer) => {
    for (const piece of answer.body) {
      if (isBytes(piece)) {
        sendHead(response, answer);
        await write(response, piece);
        continue;
      }
      for await (const chunk of blobs.open(piece, buffer)) {
        // Only now: a small blob that is damaged has not said 200 yet.
        sendHead(response, answer);
        await write(response, chunk);
        unyielded += chunk.length;
        if (unyielded > mostUnyielded) {
          unyielded = 0;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    }
    sendHead(response, answer);
    response.end();
  });
}

/** The client is not there any more: not a failure. */
export class ClientGone extends Error {}

function sendHead(response: ServerResponse, answer: RegistryAnswer): void {
  if (!response.headersSent) response.writeHead(answer.status, answer.headers);
}

/** Waits until the system has taken the bytes, so that their buffer may be used again. */
async function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (response.destroyed) {
      reject(new ClientGone());
      return;
    }
    const onClose = (): void => reject(new ClientGone());
    response.once('close', onClose);
    response.write(bytes, (error) => {
      response.off('close', onClose);
      if (error) reject(new ClientGone());
      else resolve();
    });
  });
}

function isBytes(piece: Uint8Array | BlobPiece): piece is Uint8Array {
  return piece instanceof Uint8Array;
}

function isBlobPiece(piece: Uint8Array | BlobPiece): piece is BlobPiece {
  return !isBytes(piece);
}
