import type { Catalog } from '../content/contracts.ts';
import type { Page } from './page/model.ts';

/** Puts before the tables of a page how each image is pulled. */
export function withPullLines(
  page: Page,
  { catalog, host, clientsLine }: { readonly catalog: Catalog; readonly host: string; readonly clientsLine: string },
): Page {
  const names = [...catalog.repositories()].flatMap((repository) =>
    [...catalog.tags(repository)].map(({ tag }) => `${repository}:${tag}`),
  );
  return {
    ...page,
    facts: [...page.facts, { name: 'Files for clients', value: clientsLine, long: true }],
    tables: [
      {
        id: 'pull',
        title: 'Pull',
        note: 'podman, skopeo, ctr and others take the same names.',
        columns: [
          { name: 'Image', kind: 'name' },
          { name: 'Command', kind: 'text' },
        ],
        rows: names.map((name) => [name, `docker pull ${host}/${name}`]),
      },
      ...page.tables,
    ],
  };
}
