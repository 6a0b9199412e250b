import { RegtarError } from '../errors.ts';
import type { Challenge } from './challenge.ts';
import { tokenService } from './token.ts';

/**
 * Whether a password may go to the registry itself, where a token service may belong to another party.
 * @param asked how the registry wants to be asked
 * @param saidHttps whether it has called itself a server on https
 * @returns false where its token service is on another host: then only that one is to see the password
 * @throws RegtarError AUTH_FAILED where the password would travel in clear although the registry says that it is on
 * https
 */
export function mayShowPassword(origin: URL, asked: Challenge | undefined, saidHttps: boolean): boolean {
  const realm = asked?.scheme === 'bearer' ? tokenService(asked.parameters, origin).realm : undefined;
  if (origin.protocol === 'http:' && (saidHttps || realm?.protocol === 'https:'))
    throw new RegtarError(
      'AUTH_FAILED',
      `${origin.host} was asked over http and says that it is on https: no password is sent in clear`,
      { hint: `write https://${origin.host} (or the port that speaks https), and leave --plain-http out` },
    );
  return realm === undefined || realm.hostname === origin.hostname;
}
