import type { ClientFile } from '../../report/clients/setup.ts';

/** One file as it is; several one after the other, each below a comment that says where it belongs. */
export function renderClientFiles(files: readonly ClientFile[]): string {
  const [only, second] = files;
  if (only !== undefined && second === undefined) return only.text.trimEnd();
  return files
    .map(({ path, text }) => `# ${path}\n${text}`)
    .join('\n')
    .trimEnd();
}
