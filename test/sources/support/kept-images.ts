import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { copyImages } from '../../../src/copy/copy-images.ts';
import type { CopyReport } from '../../../src/copy/events.ts';
import { openFileSink } from '../../../src/formats/open-file-sink.ts';
import { readSource } from '../../../src/formats/read-source.ts';
import { createPlan } from '../../../src/select/create-plan.ts';
import { createFilter } from '../../../src/select/filter.ts';
import { createRenamer } from '../../../src/select/rename.ts';
import { openSource } from '../../../src/source/open-source.ts';
import { archive, file, symlink } from '../../support/tar-builder.ts';
import { blob, entry, hex, indexMember, json, layoutMember, ociImage, type Member } from './layout-members.ts';

/** The parts of an image with one layer, which is not compressed. */
export interface Built {
  readonly layer: Buffer;
  readonly config: Buffer;
  readonly manifest: Buffer;
  readonly digest: string;
}
/** `repository:tag` and what it means. */
export type Named = readonly (readonly [string, Built])[];
export type Part = 'layer' | 'config' | 'manifest';

/** How a format keeps images. */
export interface Kept {
  readonly format: string;
  readonly members: (images: Named) => readonly Member[];
  /** Where a part lies; undefined where the format has none. */
  readonly pathOf: (name: string, image: Built, part: Part) => string | undefined;
}

export function buildImage(text: string): Built {
  const layer = archive([file('hello', text)]);
  return { layer, ...ociImage(text, [layer]) };
}
const partsOf = ({ layer, config, manifest }: Built): readonly Buffer[] => [layer, config, manifest];
const inDir = (root: string): Kept => ({
  format: root === '' ? 'dir tree' : 'skopeo sync --scoped',
  members: (images) =>
    images.flatMap(([name, { layer, config, manifest }]) => [
      ...[layer, config].map((bytes) => ({ path: `${root}${name}/${hex(bytes)}`, bytes })),
      { path: `${root}${name}/manifest.json`, bytes: manifest },
      { path: `${root}${name}/version`, bytes: Buffer.from('Directory Transport Version: 1.1\n') },
    ]),
  pathOf: (name, image, part) => `${root}${name}/${part === 'manifest' ? 'manifest.json' : hex(image[part])}`,
});
/** Every format, where each image has what it needs to itself. */
export const kept: readonly Kept[] = [
  {
    format: 'OCI layout',
    members: (images) => [
      layoutMember,
      ...images.flatMap(([, image]) => partsOf(image).map(blob)),
      indexMember(...images.map(([name, { digest }]) => entry(digest, name))),
    ],
    pathOf: (_name, image, part) => blob(image[part]).path,
  },
  {
    format: 'docker-archive',
    members: (images) => [
      ...images.flatMap(([, { layer, config }]) => [
        { path: `${hex(layer)}/layer.tar`, bytes: layer },
        { path: `${hex(config)}.json`, bytes: config },
      ]),
      {
        path: 'manifest.json',
        bytes: json(
          images.map(([name, { layer, config }]) => ({
            Config: `${hex(config)}.json`,
            RepoTags: [name],
            Layers: [`${hex(layer)}/layer.tar`],
          })),
        ),
      },
    ],
    pathOf: (_name, { layer, config }, part) =>
      part === 'manifest' ? undefined : part === 'layer' ? `${hex(layer)}/layer.tar` : `${hex(config)}.json`,
  },
  inDir(''),
  inDir('registry.example.com/'),
];

/** Writes members, and links in place of some of them, as a folder or as a tar. */
export function writeSource(
  path: string,
  form: 'folder' | 'tar',
  members: readonly Member[],
  links: ReadonlyMap<string, string> = new Map(),
): string {
  const others = members.filter((member) => !links.has(member.path));
  if (form === 'tar') {
    const files = others.map((member) => file(member.path, member.bytes));
    writeFileSync(path, archive([...files, ...[...links].map(([name, target]) => symlink(name, target))]));
    return path;
  }
  for (const member of others) {
    mkdirSync(dirname(join(path, member.path)), { recursive: true });
    writeFileSync(join(path, member.path), member.bytes);
  }
  for (const [name, target] of links) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    symlinkSync(target, join(path, name));
  }
  return path;
}

/**
 * What happens to each image on its way into a layout: `copied`, or the code of what went wrong.
 * @param afterwards what happens to SOURCE once its names are known
 */
export async function exportAll(
  source: string,
  out: string,
  afterwards: () => void | Promise<void> = () => undefined,
): Promise<{
  readonly images: Readonly<Record<string, string>>;
  readonly repositories: readonly string[];
  readonly report: CopyReport;
}> {
  const opened = await openSource([source]);
  try {
    const { catalog, store } = await readSource(opened);
    const sink = await openFileSink('oci', { out });
    const options = { filter: createFilter({}), rename: createRenamer({}), traits: sink.traits };
    const plan = createPlan(catalog, store, options);
    await afterwards();
    const report = await copyImages(plan, store, sink, { jobs: 2 });
    const images = report.images.map(({ repository, tag = '', status, error }) => [
      `${repository}:${tag}`,
      error?.code ?? status,
    ]);
    return {
      images: Object.fromEntries(images) as Record<string, string>,
      repositories: [...catalog.repositories()],
      report,
    };
  } finally {
    await opened.close();
  }
}
