import { createHash, verify, type KeyObject } from 'node:crypto';
import { parseAllowedSigners, type AllowedSigner } from './allowed-signers.ts';
import { SignatureRefusal, type Signer } from './signer.ts';
import { importSshKey, readSsh, writeSshString } from './ssh-wire.ts';

/** What `ssh-keygen -Y sign -n file` writes; other namespaces are signatures for other purposes. */
const namespace = 'file';
const magic = Buffer.from('SSHSIG');

interface SshSignature {
  readonly key: Uint8Array;
  readonly hash: string;
  readonly reserved: Uint8Array;
  readonly algorithm: string;
  readonly signature: Uint8Array;
}

/**
 * Checks what `ssh-keygen -Y sign -f KEY -n file FILE` wrote against an `allowed_signers` file; any of its keys counts.
 * @param now milliseconds since 1970, for keys that are valid for some time only
 * @throws SignatureRefusal with the reason
 * @see OpenSSH, PROTOCOL.sshsig
 */
export function verifySshSignature(content: Uint8Array, armoured: string, allowed: string, now: number): Signer {
  const parsed = parseSignature(armoured);
  const signer = findSigner(parsed.key, readSigners(allowed), now);
  const hashed = createHash(parsed.hash).update(content).digest();
  const signed = Buffer.concat([
    magic,
    ...[Buffer.from(namespace), parsed.reserved, Buffer.from(parsed.hash), hashed].map(writeSshString),
  ]);
  const key = importKey(parsed.key);
  const { algorithm, signature } = parsed;
  if (!isRight(algorithm, signed, key, signature))
    throw new SignatureRefusal('the file was changed after it was signed');
  return { tool: 'ssh-keygen', name: signer.principals, key: signer.fingerprint };
}

function importKey(blob: Uint8Array): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = importSshKey(blob);
  } catch (error) {
    throw new SignatureRefusal(`its key cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (key !== undefined) return key;
  throw new SignatureRefusal('its kind of key (a security key, a certificate or DSA) is not supported');
}

function readSigners(allowed: string): readonly AllowedSigner[] {
  try {
    return parseAllowedSigners(allowed);
  } catch (error) {
    throw new SignatureRefusal(`the keys cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parseSignature(armoured: string): SshSignature {
  const body = /-----BEGIN SSH SIGNATURE-----([\sA-Za-z0-9+/=]+)-----END SSH SIGNATURE-----/.exec(armoured)?.[1];
  if (body === undefined) throw new SignatureRefusal('it is not a signature of ssh-keygen');
  try {
    const reader = readSsh(Buffer.from(body, 'base64'));
    if (!magic.equals(reader.bytes(magic.length)) || reader.uint32() !== 1)
      throw new SignatureRefusal('it is not a signature of ssh-keygen');
    const key = reader.string();
    const found = reader.text();
    const reserved = reader.string();
    const hash = reader.text();
    const inner = readSsh(reader.string());
    const parsed = { key, hash, reserved, algorithm: inner.text(), signature: inner.string() };
    if (found !== namespace)
      throw new SignatureRefusal(`it was made for "${found}": sign with ssh-keygen -Y sign -n ${namespace}`);
    if (hash !== 'sha256' && hash !== 'sha512') throw new SignatureRefusal(`its hash is "${hash}"`);
    return parsed;
  } catch (error) {
    if (error instanceof RangeError) throw new SignatureRefusal(`it cannot be read: ${error.message}`);
    throw error;
  }
}

function findSigner(key: Uint8Array, signers: readonly AllowedSigner[], now: number): AllowedSigner {
  const ours = signers.filter((signer) => Buffer.from(key).equals(signer.key) && !signer.isAuthority);
  if (ours.length === 0) throw new SignatureRefusal('none of the given keys made it');
  const open = ours.filter(({ namespaces }) => namespaces === undefined || namespaces.some(isOurs));
  if (open.length === 0) throw new SignatureRefusal('the key is not allowed to sign files');
  const valid = open.find(
    ({ validAfter = -Infinity, validBefore = Infinity }) => validAfter <= now && now < validBefore,
  );
  if (valid === undefined) throw new SignatureRefusal('the key is not valid at this time');
  return valid;
}

/** @see ssh_config(5), PATTERNS */
function isOurs(pattern: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`).test(namespace);
}

function isRight(algorithm: string, signed: Buffer, key: KeyObject, signature: Uint8Array): boolean {
  switch (`${key.asymmetricKeyType ?? ''} ${algorithm}`) {
    case 'ed25519 ssh-ed25519':
      return verify(null, signed, key, signature);
    case 'rsa rsa-sha2-256':
      return verify('sha256', signed, key, signature);
    case 'rsa rsa-sha2-512':
      return verify('sha512', signed, key, signature);
    case 'ec ecdsa-sha2-nistp256':
      return verifyEcdsa('sha256', 32, signed, key, signature);
    case 'ec ecdsa-sha2-nistp384':
      return verifyEcdsa('sha384', 48, signed, key, signature);
    case 'ec ecdsa-sha2-nistp521':
      return verifyEcdsa('sha512', 66, signed, key, signature);
    default:
      throw new SignatureRefusal(`its algorithm ${algorithm} is not supported`);
  }
}

/** SSH has two numbers of their own lengths where IEEE P1363 has two of one length. */
function verifyEcdsa(hash: string, bytes: number, signed: Buffer, key: KeyObject, signature: Uint8Array): boolean {
  const reader = readSsh(signature);
  const numbers = [reader.string(), reader.string()].map((number) => {
    const digits = Buffer.from(number[0] === 0 ? number.subarray(1) : number);
    return Buffer.concat([Buffer.alloc(Math.max(0, bytes - digits.length)), digits]);
  });
  return verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.concat(numbers));
}
