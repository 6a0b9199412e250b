import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { RegtarError, systemReason } from '../../errors.ts';
import { onOutput } from '../../io/output-error.ts';
import { giveName } from '../../io/write-file.ts';
import { makeSelfSigned, type SelfSigned } from './certificate.ts';

/**
 * Also what podman and skopeo take as `--cert-dir`: they read `*.crt` as authorities, and `*.key` as keys of clients.
 */
const files = { authority: 'ca.crt', certificate: 'server.pem', key: 'server-key.pem' } as const;

/**
 * Keeps a certificate in a folder, so that clients which trust it need not be told again. What is there is used or
 * refused, and never replaced. The key is readable by its owner alone; the one of the authority is kept nowhere.
 * @param names every one must be in the certificate
 * @throws RegtarError TLS_INVALID for a folder that holds anything else, or a certificate that has expired or lacks a
 * name; OUTPUT_UNWRITABLE
 */
export function keepSelfSigned(folder: string, names: readonly string[]): SelfSigned {
  const present = existsSync(folder) ? onOutput(folder, () => readdirSync(folder).sort()) : [];
  if (present.length > 0) return readFolder(folder, present, names);
  const made = makeSelfSigned(names);
  onOutput(folder, () => {
    const parent = dirname(resolve(folder));
    mkdirSync(parent, { recursive: true });
    // The folder appears whole: a run that is killed leaves no key without its certificate.
    const temporary = mkdtempSync(join(parent, `.${basename(resolve(folder))}-`));
    try {
      for (const part of ['authority', 'certificate', 'key'] as const)
        writeFileSync(join(temporary, files[part]), made[part], { mode: part === 'key' ? 0o600 : 0o644, flag: 'wx' });
      giveName(temporary, folder);
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw error;
    }
  });
  return made;
}

function readFolder(folder: string, present: readonly string[], names: readonly string[]): SelfSigned {
  const refuse = (reason: string, cause?: unknown): RegtarError =>
    new RegtarError('TLS_INVALID', `${folder} ${reason}`, {
      side: 'usage',
      where: { path: folder },
      cause,
      hint: 'name another folder for --tls-dir, or remove this one: its clients must then trust the new certificate',
    });
  const wanted = Object.values(files).sort();
  if (present.join('\n') !== wanted.join('\n')) throw refuse(`does not hold just ${wanted.join(', ')}`);
  const read = (name: string): string => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch (cause) {
      throw refuse(`has ${name}, which cannot be read: ${systemReason(cause)}`, cause);
    }
  };
  const kept = { authority: read(files.authority), certificate: read(files.certificate), key: read(files.key) };
  if ((statSync(join(folder, files.key)).mode & 0o077) !== 0)
    throw refuse(`has ${files.key}, which users other than its owner can read`);
  const reason = whyUnusable(kept, names);
  if (reason !== undefined) throw refuse(reason);
  return kept;
}

function whyUnusable({ authority, certificate, key }: SelfSigned, names: readonly string[]): string | undefined {
  try {
    const leaf = new X509Certificate(certificate);
    const above = new X509Certificate(authority);
    if (!leaf.checkPrivateKey(createPrivateKey(key))) return 'has a key that is not the key of its certificate';
    if (!leaf.verify(above.publicKey)) return 'has a certificate that its authority did not sign';
    if (Date.parse(leaf.validTo) <= Date.now()) return `has a certificate that expired on ${leaf.validTo}`;
    const lacking = names.find((name) => (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name)) === undefined);
    return lacking === undefined ? undefined : `has a certificate that does not name ${lacking}`;
  } catch (cause) {
    return (
      'has a certificate or key that cannot be understood: ' +
      `${cause instanceof Error ? cause.message : String(cause)}`
    );
  }
}
