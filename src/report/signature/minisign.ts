import { createHash, createPublicKey, verify } from 'node:crypto';
import { SignatureRefusal, type Signer } from './signer.ts';

const idBytes = 8;
const keyBytes = 32;
const signatureBytes = 64;

interface MinisignKey {
  readonly id: Buffer;
  readonly key: ReturnType<typeof createPublicKey>;
}

/** Whether the text is a file of minisign public keys, and not an `allowed_signers` file. */
export function isMinisignKeys(text: string): boolean {
  return text.startsWith('untrusted comment:') || /^RW[A-Za-z0-9+/]{54}$/m.test(text);
}

/**
 * Checks what `minisign -S -m FILE` wrote; any key of `keys` counts. Both forms are read: of the whole file (`Ed`) and
 * of its BLAKE2b hash (`ED`, the usual one).
 * @throws SignatureRefusal with the reason
 * @see jedisct1.github.io/minisign, "Signature format" and "Public key format"
 */
export function verifyMinisign(content: Uint8Array, text: string, keys: string): Signer {
  const [, encoded = '', trusted = '', globalEncoded = ''] = text.split(/\r?\n/);
  const body = Buffer.from(encoded, 'base64');
  const algorithm = body.toString('latin1', 0, 2);
  const prefix = 'trusted comment: ';
  if (body.length !== 2 + idBytes + signatureBytes || (algorithm !== 'Ed' && algorithm !== 'ED'))
    throw new SignatureRefusal('it is not a signature of minisign');
  if (!trusted.startsWith(prefix)) throw new SignatureRefusal('it has no trusted comment');
  const id = body.subarray(2, 2 + idBytes);
  const signature = body.subarray(2 + idBytes);
  const comment = trusted.slice(prefix.length);
  const signer = readKeys(keys).find((each) => each.id.equals(id));
  if (signer === undefined) throw new SignatureRefusal(`none of the given keys is ${nameOf(id)}, which made it`);
  const signed = algorithm === 'ED' ? createHash('blake2b512').update(content).digest() : content;
  if (!verify(null, signed, signer.key, signature))
    throw new SignatureRefusal('the file was changed after it was signed');
  const all = Buffer.concat([signature, Buffer.from(comment)]);
  if (!verify(null, all, signer.key, Buffer.from(globalEncoded, 'base64')))
    throw new SignatureRefusal('its trusted comment was changed');
  return { tool: 'minisign', name: nameOf(id), key: nameOf(id), comment };
}

function readKeys(text: string): readonly MinisignKey[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const bytes = Buffer.from(line.trim(), 'base64');
    if (line.startsWith('untrusted comment:') || line.trim() === '') return [];
    if (bytes.length !== 2 + idBytes + keyBytes || bytes.toString('latin1', 0, 2) !== 'Ed')
      throw new SignatureRefusal('the keys cannot be read: a line is not a public key of minisign');
    const x = bytes.subarray(2 + idBytes).toString('base64url');
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
    return [{ id: bytes.subarray(2, 2 + idBytes), key }];
  });
}

/** As minisign prints it: the bytes are a number that begins with its lowest. */
function nameOf(id: Buffer): string {
  return Buffer.from(id).reverse().toString('hex').toUpperCase();
}
