import { RegtarError } from '../errors.ts';
import type { Scheme } from '../net/host.ts';

/** TARGET as it is typed: a registry, and where in it. */
export interface Target {
  /** Only where it was typed. */
  readonly scheme?: Scheme;
  /** `host` or `host:port`, lower case. */
  readonly host: string;
  /** `project/prefix` without slashes at its ends; empty when there is none. */
  readonly path: string;
}

const hostPattern =
  /^(?:[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?$/;
const pathPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/**
 * Reads `[http[s]://]host[:port][/project[/prefix]]`; `docker://`, as skopeo writes it, says nothing more.
 * @throws RegtarError TARGET_INVALID for anything else; user names in it too, because command lines are seen by
 * everybody
 */
export function parseTarget(text: string): Target {
  const schemeMatch = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  const typed = schemeMatch?.[1]?.toLowerCase();
  const scheme = typed === 'docker' ? undefined : typed;
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    throw invalid(text, `"${scheme}" is not a scheme of a registry`);
  const rest = text.slice(schemeMatch?.[0].length ?? 0);
  // The text itself stays out of this message: a password may stand in it.
  if (rest.includes('@'))
    throw new RegtarError('TARGET_INVALID', 'a target has no user name or password in it', {
      hint: 'pass --username and --password-stdin',
    });
  const slash = rest.indexOf('/');
  const host = (slash < 0 ? rest : rest.slice(0, slash)).toLowerCase();
  const path = slash < 0 ? '' : rest.slice(slash + 1).replace(/\/+$/, '');
  const hostMatch = hostPattern.exec(host);
  if (!hostMatch) throw invalid(text, host === '' ? 'it names no host' : `"${host}" is not a host or host:port`);
  if (hostMatch[1] !== undefined && (Number(hostMatch[1]) > 65535 || Number(hostMatch[1]) === 0))
    throw invalid(text, `${hostMatch[1]} is not a port`);
  if (path !== '' && !pathPattern.test(path))
    throw invalid(
      text,
      `"${path}" is not a project or repository prefix (lower-case letters, digits and single . _ - between them)`,
    );
  return { ...(scheme !== undefined && { scheme }), host, path };
}

function invalid(text: string, reason: string): RegtarError {
  return new RegtarError('TARGET_INVALID', `"${text}" is not a target: ${reason}`, {
    hint: 'write host[:port][/project[/prefix]], for instance harbor.example.com/library',
  });
}
