import { dir } from './dir/format.ts';
import { dockerArchive } from './docker-archive/format.ts';
import type { FormatDeclaration } from './format.ts';
import { oci } from './oci/format.ts';
import { registry } from './registry/format.ts';

/** The only table of formats, the default first: a new one is a folder of its own and a line here. */
export const formats = { oci, dir, 'docker-archive': dockerArchive, registry } as const satisfies Readonly<
  Record<string, FormatDeclaration>
>;

/** The name of a format that `export` writes. */
export type Format = keyof typeof formats;

/** What a report calls a format. */
export type FormatReportKind = (typeof formats)[Format]['reportKind'];

/** Every format's name, the default first, for help and completions. */
export const formatNames = Object.keys(formats) as readonly Format[];

/** @returns the names of all formats of which something is true, such as `oci, registry` for messages */
export function formatsWhere(isSo: (format: FormatDeclaration) => boolean): readonly Format[] {
  return formatNames.filter((name) => isSo(formats[name]));
}
