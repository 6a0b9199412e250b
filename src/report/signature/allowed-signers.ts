import { createHash } from 'node:crypto';

/** One key of an `allowed_signers` file. */
export interface AllowedSigner {
  readonly principals: string;
  /** In SSH's binary form. */
  readonly key: Uint8Array;
  /** `SHA256:…` */
  readonly fingerprint: string;
  /** Patterns of namespaces; undefined allows all. */
  readonly namespaces: readonly string[] | undefined;
  /** Milliseconds since 1970. */
  readonly validAfter: number | undefined;
  readonly validBefore: number | undefined;
  /** Whether the key may only sign certificates of other keys. */
  readonly isAuthority: boolean;
}

/**
 * Reads an `allowed_signers` file: `principals [options] keytype base64-key [comment]` a line; empty lines and `#`
 * comments are left out.
 * @throws RangeError naming the line that is wrong
 * @see ssh-keygen(1), "ALLOWED SIGNERS"
 */
export function parseAllowedSigners(text: string): readonly AllowedSigner[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) return [];
    const signer = parseLine(content);
    if (signer === undefined) throw new RangeError(`line ${index + 1} is not "principals [options] keytype key"`);
    return [signer];
  });
}

const keyType = /^(?:sk-)?(?:ssh|ecdsa|rsa)-[a-z0-9@.-]+$/;

function parseLine(line: string): AllowedSigner | undefined {
  const [principals, ...rest] = splitWords(line);
  const typeAt = rest.findIndex((word) => keyType.test(word));
  const encoded = rest[typeAt + 1];
  if (principals === undefined || typeAt < 0 || typeAt > 1 || encoded === undefined) return undefined;
  const key = Buffer.from(encoded, 'base64');
  if (key.length < 20 || key.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, '')) return undefined;
  const options = parseOptions(typeAt === 1 ? (rest[0] ?? '') : '');
  return {
    principals: unquote(principals),
    key,
    fingerprint: `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`,
    namespaces: options.get('namespaces')?.split(','),
    validAfter: timeOf(options.get('valid-after')),
    validBefore: timeOf(options.get('valid-before')),
    isAuthority: options.has('cert-authority'),
  };
}

/** Words between blanks; blanks inside double quotes do not count. */
function splitWords(line: string): string[] {
  return line.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
}

function parseOptions(text: string): ReadonlyMap<string, string> {
  const parts = text.match(/(?:[^,"]|"[^"]*")+/g) ?? [];
  return new Map(
    parts.map((part) => {
      const [name = '', value = ''] = part.split(/=(.*)/s);
      return [name.toLowerCase(), unquote(value)] as const;
    }),
  );
}

function unquote(text: string): string {
  return text.startsWith('"') && text.endsWith('"') && text.length > 1 ? text.slice(1, -1) : text;
}

/** `YYYYMMDD[Z]` or `YYYYMMDDHHMM[SS][Z]`, in local time without the Z. @throws RangeError for anything else */
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?(Z?)$/i.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not a time such as 20261231 or 202612312359Z`);
  const [, year, month, day, hour = '00', minute = '00', second = '00', zone = ''] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone.toUpperCase()}`);
}
