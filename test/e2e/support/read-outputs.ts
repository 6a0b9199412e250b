import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LayoutEntry, ReadLayout } from '../../support/read-layout.ts';
import { findDirImages, readDirImage, readLayout } from '../../support/read-layout.ts';
import type { ReadImage } from '../../support/read-graph.ts';

/** Images of an output by `repository:tag` or `repository@digest`. */
export type NamedImages = Readonly<Record<string, ReadImage>>;

/** Root digests by name. */
export function digestsOf(images: NamedImages): Record<string, string> {
  return Object.fromEntries(Object.entries(images).map(([name, { digest }]) => [name, digest]));
}

/** By the names that loaders look for, else regtar's own for what no loader shall make an image of. */
export function layoutImages({ entries, images }: ReadLayout): NamedImages {
  return Object.fromEntries(entries.map((entry, index) => [layoutName(entry), images[index] as ReadImage]));
}

function layoutName({ annotations = {} }: LayoutEntry): string {
  return annotations['org.opencontainers.image.ref.name'] ?? annotations['vnd.regtar.image.name'] ?? '';
}

/** A tree of layouts, one for each repository: the name is the tag alone. */
export async function layoutTreeImages(root: string): Promise<NamedImages> {
  const layouts = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('/oci-layout'),
  );
  const found: Record<string, ReadImage> = {};
  for (const repository of layouts.map((path) => path.slice(0, -'/oci-layout'.length))) {
    for (const [name, image] of Object.entries(layoutImages(await readLayout(join(root, repository)))))
      found[name.includes('@') ? name : `${repository}:${name}`] = image;
  }
  return found;
}

/** A tree of skopeo's `dir` folders. */
export async function dirTreeImages(root: string): Promise<NamedImages> {
  const found: Record<string, ReadImage> = {};
  for (const path of findDirImages(root)) found[path] = await readDirImage(join(root, path));
  return found;
}
