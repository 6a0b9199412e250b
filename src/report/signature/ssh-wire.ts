import { createPublicKey, type KeyObject } from 'node:crypto';

/** Reads SSH's binary form: 32-bit lengths, each followed by so many bytes. @see RFC 4251, section 5 */
export interface SshReader {
  /** @throws RangeError where the bytes end too early */
  bytes(count: number): Uint8Array;
  uint32(): number;
  string(): Uint8Array;
  text(): string;
  /** Whether everything was read. */
  readonly isAtEnd: boolean;
}

/** @param data what `text()` and `string()` cut from; nothing is copied */
export function readSsh(data: Uint8Array): SshReader {
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  let at = 0;
  const bytes = (count: number): Uint8Array => {
    if (at + count > view.length) throw new RangeError('it ends too early');
    at += count;
    return view.subarray(at - count, at);
  };
  const uint32 = (): number => Buffer.from(bytes(4)).readUInt32BE(0);
  const string = (): Uint8Array => bytes(uint32());
  return {
    bytes,
    uint32,
    string,
    text: () => Buffer.from(string()).toString('latin1'),
    get isAtEnd() {
      return at === view.length;
    },
  };
}

/** A byte string with its length before it. */
export function writeSshString(bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes as Uint8Array);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

const curves: Readonly<Record<string, { readonly name: string; readonly bytes: number }>> = {
  nistp256: { name: 'P-256', bytes: 32 },
  nistp384: { name: 'P-384', bytes: 48 },
  nistp521: { name: 'P-521', bytes: 66 },
};

/**
 * A public key in SSH's form as one that Node verifies with.
 * @returns undefined for kinds that are not supported: security keys, certificates, DSA
 * @throws RangeError, or an error of Node's, where it is not a key
 * @see RFC 4253, section 6.6; RFC 5656, section 3.1; RFC 8709, section 4
 */
export function importSshKey(blob: Uint8Array): KeyObject | undefined {
  const reader = readSsh(blob);
  const kind = reader.text();
  if (kind === 'ssh-ed25519')
    return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: base64url(reader.string()) } });
  if (kind === 'ssh-rsa') {
    const e = base64url(unsigned(reader.string()));
    return createPublicKey({ format: 'jwk', key: { kty: 'RSA', e, n: base64url(unsigned(reader.string())) } });
  }
  if (!kind.startsWith('ecdsa-sha2-')) return undefined;
  const curve = curves[reader.text()];
  const point = reader.string();
  if (curve === undefined || point.length !== 1 + 2 * curve.bytes || point[0] !== 4)
    throw new RangeError('it is not a point of a curve that OpenSSH uses');
  const x = base64url(point.subarray(1, 1 + curve.bytes));
  const y = base64url(point.subarray(1 + curve.bytes));
  return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: curve.name, x, y } });
}

/** Big numbers have a zero byte before them where their first bit is set. */
function unsigned(number: Uint8Array): Uint8Array {
  return number[0] === 0 ? number.subarray(1) : number;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
