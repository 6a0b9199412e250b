import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import {
  bitString,
  boolean,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  time,
  utf8String,
} from './der.ts';

/** PEM texts of a server that vouches for itself. */
export interface SelfSigned {
  /** What clients are to trust. The key that signed with it exists no more. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Long enough for a site to be built; browsers and Go take server certificates of at most 825 days. */
const validDays = 397;
/** Clocks behind a gap are rarely right. */
const backdatedHours = 24;

const ids = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
} as const;

/**
 * Makes an authority, a certificate of it for the given names, and forgets the authority's key: it can never vouch for
 * anything else.
 * @param names of hosts, and IP addresses
 * @see RFC 5280
 */
export function makeSelfSigned(names: readonly string[], now: Date = new Date()): SelfSigned {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const validity = {
    from: new Date(now.getTime() - backdatedHours * 3_600_000),
    until: new Date(now.getTime() + validDays * 86_400_000),
  };
  const authorityName = `regtar serve ${randomBytes(4).toString('hex')}`;
  const authorityKeyId = keyId(authority.publicKey);
  const signed = (subject: string, key: KeyObject, extensions: readonly Buffer[]): string =>
    signCertificate({ issuer: authorityName, subject, key, validity, extensions }, authority.privateKey);
  return {
    authority: signed(authorityName, authority.publicKey, [
      extension(ids.basicConstraints, sequence(boolean(true), integer(Buffer.from([0]))), true),
      // keyCertSign
      extension(ids.keyUsage, bitString(Buffer.from([0x04]), 2), true),
      extension(ids.subjectKeyIdentifier, octetString(authorityKeyId)),
    ]),
    certificate: signed(names[0] ?? 'localhost', leaf.publicKey, [
      extension(ids.basicConstraints, sequence(), true),
      // digitalSignature
      extension(ids.keyUsage, bitString(Buffer.from([0x80]), 7), true),
      extension(ids.extendedKeyUsage, sequence(objectIdentifier(ids.serverAuthentication))),
      extension(ids.subjectAlternativeName, sequence(...names.map(generalName))),
      extension(ids.subjectKeyIdentifier, octetString(keyId(leaf.publicKey))),
      extension(ids.authorityKeyIdentifier, sequence(tagged(0x80, authorityKeyId))),
    ]),
    key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

interface CertificateParts {
  readonly issuer: string;
  readonly subject: string;
  readonly key: KeyObject;
  readonly validity: { readonly from: Date; readonly until: Date };
  readonly extensions: readonly Buffer[];
}

function signCertificate({ issuer, subject, key, validity, extensions }: CertificateParts, signer: KeyObject): string {
  const algorithm = sequence(objectIdentifier(ids.ecdsaWithSha256));
  const body = sequence(
    // version 3
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    algorithm,
    distinguishedName(issuer),
    sequence(time(validity.from), time(validity.until)),
    distinguishedName(subject),
    key.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  );
  const der = sequence(body, algorithm, bitString(sign('sha256', body, signer)));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function distinguishedName(commonName: string): Buffer {
  // X.520 ends a common name after 64 characters; names of hosts that count stand in the SANs.
  return sequence(set(sequence(objectIdentifier(ids.commonName), utf8String(commonName.slice(0, 64)))));
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  return sequence(objectIdentifier(id), ...(isCritical ? [boolean(true)] : []), octetString(value));
}

function generalName(name: string): Buffer {
  const family = isIP(name);
  return family === 0
    ? tagged(0x82, Buffer.from(name))
    : tagged(0x87, family === 4 ? ipv4Bytes(name) : ipv6Bytes(name));
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6Bytes(address: string): Buffer {
  const [plain = ''] = address.split('%');
  // An IPv4 address may stand at the end.
  const text = plain.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [left = '', right] = text.split('::');
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const before = groups(left);
  const after = right === undefined ? [] : groups(right);
  const zeros: string[] = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return Buffer.from(
    [...before, ...zeros, ...after].flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

/** @see RFC 5280, 4.2.1.2, method 1 */
function keyId(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }).subarray(-65))
    .digest();
}
