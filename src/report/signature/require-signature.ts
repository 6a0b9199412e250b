import { RegtarError } from '../../errors.ts';
import { isMinisignKeys, verifyMinisign } from './minisign.ts';
import { SignatureRefusal, type Signer } from './signer.ts';
import { verifySshSignature } from './ssh-signature.ts';

/** A file that has been read. */
export interface ReadFile {
  /** For messages. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Where the signature of a file lies: beside it, its ending told by the kind of keys. */
export function signaturePath(path: string, keys: ReadFile): string {
  return `${path}.${isMinisignKeys(textOf(keys)) ? 'minisig' : 'sig'}`;
}

/**
 * Checks that one of the given keys signed exactly these bytes, with the tools that are everywhere: `ssh-keygen -Y
 * sign` or minisign.
 * @param keys an `allowed_signers` file, or public keys of minisign
 * @param now milliseconds since 1970
 * @throws RegtarError SIGNATURE_INVALID
 */
export function requireSignature(file: ReadFile, signature: ReadFile, keys: ReadFile, now = Date.now()): Signer {
  try {
    return isMinisignKeys(textOf(keys))
      ? verifyMinisign(file.bytes, textOf(signature), textOf(keys))
      : verifySshSignature(file.bytes, textOf(signature), textOf(keys), now);
  } catch (error) {
    if (!(error instanceof SignatureRefusal)) throw error;
    throw new RegtarError('SIGNATURE_INVALID', `${signature.path} does not sign ${file.path}: ${error.message}`, {
      where: { path: signature.path },
      cause: error,
      hint: `trust nothing in ${file.path} until it is signed by a key of ${keys.path}`,
    });
  }
}

function textOf({ bytes }: ReadFile): string {
  return Buffer.from(bytes).toString('utf8');
}
