import { RegtarError, type Problem } from '../../errors.ts';
import { plural } from '../../io/sizes.ts';

/** Names what was given instead of something that can be read. */
export function refuseForeign(describe: string, members: number, damage: readonly Problem[]): RegtarError {
  const where = { path: describe };
  const hint =
    "pack a registry's storage with `tar -cpf docker.tar docker` in its root directory, /var/lib/registry for most";
  const expected =
    "expected a registry's storage, with docker/registry/v2 inside, an OCI layout, a docker-archive or dir folders";
  if (members > 0)
    return new RegtarError(
      'SOURCE_NOT_REGISTRY',
      `${describe} has ${plural(members, 'member')}, but no images; ${expected}`,
      {
        where,
        hint,
      },
    );
  const [first] = damage;
  const because = first === undefined ? '' : `: ${first.message}`;
  return new RegtarError('SOURCE_NOT_TAR', `${describe} holds nothing that can be read${because}; ${expected}`, {
    where,
    hint,
  });
}

/** Nothing of such a backup could be listed, so an empty list would be a lie. */
export function refuseV1(): RegtarError {
  return new RegtarError(
    'STORAGE_V1',
    'this is the storage of a registry before Distribution 2 (images/<id>/…), and nothing in it can be read',
    { hint: 'start that registry once more, pull its images with docker, and push them to a current registry' },
  );
}
