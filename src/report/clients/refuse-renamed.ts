import { RegtarError } from '../../errors.ts';
import type { RenamedRepository } from './setup.ts';

/** For clients that know one path for a whole registry. @throws RegtarError USAGE naming one that has another */
export function refuseRenamed(client: string, from: string, renamed: readonly RenamedRepository[] | undefined): void {
  if (renamed === undefined) return;
  const example = renamed.find((each) => each.from !== each.to);
  throw new RegtarError(
    'USAGE',
    `${client} has one path for all of ${from}, but ${example?.from ?? ''} is ${example?.to ?? ''} now`,
    { hint: 'k3s, RKE2, podman and CRI-O can; or change the names where they are used: --for table lists old and new' },
  );
}
