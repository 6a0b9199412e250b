import { listRegistry, readRegistryImage, type RegistryAccess } from '../../support/read-registry.ts';

/** Images as a registry has them, `repository:tag` → digest. */
export type Images = ReadonlyMap<string, string>;

/**
 * Reads every tag of a registry with everything below it, byte for byte, by code that shares nothing with the product.
 * @param prefix of the repositories that count; it is not part of the names
 * @throws Error when a tag lacks anything, or anything is not what its digest says
 */
export async function readBack(access: RegistryAccess, prefix = ''): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { repository, tag } of await listRegistry(access, prefix))
    found.set(`${repository.slice(prefix.length)}:${tag}`, (await readRegistryImage(access, repository, tag)).digest);
  return found;
}

/** Without the images that a report calls failed. */
export function without(images: Images, failed: Readonly<Record<string, string>>): Map<string, string> {
  return new Map([...images].filter(([name]) => !(name in failed)));
}
