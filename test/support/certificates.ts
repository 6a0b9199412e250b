import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';

/** PEM files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /**
   * Signs a certificate for servers and clients.
   * @param names DNS names and IP addresses; 127.0.0.1 and localhost when absent
   * @param expired its last day was yesterday
   */
  issue(
    name: string,
    options?: { readonly names?: readonly string[]; readonly expired?: boolean },
  ): Promise<Certificate>;
}

/** Makes a certificate authority of its own in an existing folder, by the openssl program. */
export async function createAuthority(folder: string, name = 'regtar test authority'): Promise<Authority> {
  const certificate = join(folder, 'ca.crt');
  const key = join(folder, 'ca.key');
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '30',
    '-subj',
    `/CN=${name}`,
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-keyout',
    key,
    '-out',
    certificate,
  ]);
  return {
    certificate,
    key,
    issue: async (subject, options = {}) => {
      const base = join(folder, subject.replaceAll(/[^a-z0-9.-]/gi, '_'));
      const names = options.names ?? ['127.0.0.1', 'localhost'];
      const alternatives = names.map((each) => (/^[\d.]+$|:/.test(each) ? `IP:${each}` : `DNS:${each}`)).join(',');
      writeFileSync(
        `${base}.ext`,
        `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n`,
      );
      await run('openssl', [
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        `/CN=${subject}`,
        '-keyout',
        `${base}.key`,
        '-out',
        `${base}.csr`,
      ]);
      // A negative number of days is openssl's way to a certificate that has ended already.
      const days = options.expired === true ? '-1' : '30';
      await run('openssl', [
        'x509',
        '-req',
        '-in',
        `${base}.csr`,
        '-CA',
        certificate,
        '-CAkey',
        key,
        '-CAcreateserial',
        '-days',
        days,
        '-extfile',
        `${base}.ext`,
        '-out',
        `${base}.crt`,
      ]);
      return { certificate: `${base}.crt`, key: `${base}.key` };
    },
  };
}
