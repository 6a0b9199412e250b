import { Buffer } from 'node:buffer';
import { blockBytes, header, longName, member, padded, paxHeader } from './tar-builder.ts';

/** Bytes of a sparse file that are stored; what lies between runs is zero. */
export interface SparseRun {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** `gnu` is the `S` header of GNU tar's default format, the others are the three forms of `tar --format=pax --sparse`. */
export type SparseForm = 'gnu' | 'pax-0.0' | 'pax-0.1' | 'pax-1.0';

export interface SparseFields {
  readonly path: string;
  /** Effective size of the file in bytes. */
  readonly size: number;
  readonly runs: readonly SparseRun[];
  readonly form: SparseForm;
}

/** A sparse member. @see GNU tar manual, "Storing Sparse Files" and "PAX Format, Version 0.0" to "1.0" */
export function sparseMember(fields: SparseFields): Buffer {
  const data = padded(Buffer.concat(fields.runs.map((run) => run.bytes)));
  const stored = fields.runs.reduce((sum, run) => sum + run.bytes.length, 0);
  switch (fields.form) {
    case 'gnu':
      return Buffer.concat([gnuHeaders(fields, stored), data]);
    case 'pax-0.0':
      return Buffer.concat([
        paxHeader(numbered(fields)),
        member({ path: fields.path, dialect: 'pax', size: stored }),
        data,
      ]);
    case 'pax-0.1':
      return Buffer.concat([
        paxHeader(mapped(fields)),
        member({ path: mangled(fields.path), dialect: 'pax', size: stored }),
        data,
      ]);
    case 'pax-1.0':
      return versionOne(fields, stored, data);
  }
}

/** The file that a reader must give back. */
export function sparseContent(fields: Pick<SparseFields, 'size' | 'runs'>): Buffer {
  const content = Buffer.alloc(fields.size);
  for (const run of fields.runs) content.set(run.bytes, run.at);
  return content;
}

interface Extent {
  readonly at: number;
  readonly size: number;
}

// GNU tar ends the map with an empty extent where the file ends in a hole.
function extents({ runs, size }: SparseFields): readonly Extent[] {
  const list = runs.map((run) => ({ at: run.at, size: run.bytes.length }));
  const last = list.at(-1);
  return last !== undefined && last.at + last.size === size ? list : [...list, { at: size, size: 0 }];
}

function gnuHeaders(fields: SparseFields, stored: number): Buffer {
  const all = extents(fields);
  const first = header({
    path: fields.path,
    type: 'S',
    size: stored,
    edit: (block) => {
      putExtents(block, 386, all.slice(0, 4));
      block[482] = all.length > 4 ? 1 : 0;
      block.write(`${fields.size.toString(8).padStart(11, '0')}\0`, 483, 'latin1');
    },
  });
  const more: Buffer[] = [];
  for (let from = 4; from < all.length; from += 21) {
    const block = Buffer.alloc(blockBytes);
    putExtents(block, 0, all.slice(from, from + 21));
    block[504] = all.length > from + 21 ? 1 : 0;
    more.push(block);
  }
  return Buffer.concat([...(Buffer.byteLength(fields.path) > 100 ? [longName(fields.path)] : []), first, ...more]);
}

function putExtents(block: Buffer, at: number, list: readonly Extent[]): void {
  list.forEach((extent, index) => {
    const text = `${extent.at.toString(8).padStart(11, '0')}\0${extent.size.toString(8).padStart(11, '0')}\0`;
    block.write(text, at + index * 24, 'latin1');
  });
}

function numbered(fields: SparseFields): [string, string][] {
  const all = extents(fields);
  const pairs = all.flatMap((extent): [string, string][] => [
    ['GNU.sparse.offset', String(extent.at)],
    ['GNU.sparse.numbytes', String(extent.size)],
  ]);
  return [['GNU.sparse.size', String(fields.size)], ['GNU.sparse.numblocks', String(all.length)], ...pairs];
}

function mapped(fields: SparseFields): [string, string][] {
  const all = extents(fields);
  return [
    ['GNU.sparse.size', String(fields.size)],
    ['GNU.sparse.numblocks', String(all.length)],
    ['GNU.sparse.name', fields.path],
    ['GNU.sparse.map', all.map((extent) => `${extent.at},${extent.size}`).join(',')],
  ];
}

function versionOne(fields: SparseFields, stored: number, data: Buffer): Buffer {
  const all = extents(fields);
  const map = padded(Buffer.from(`${[all.length, ...all.flatMap((extent) => [extent.at, extent.size])].join('\n')}\n`));
  const records: [string, string][] = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', fields.path],
    ['GNU.sparse.realsize', String(fields.size)],
  ];
  return Buffer.concat([
    paxHeader(records),
    member({ path: mangled(fields.path), dialect: 'pax', size: map.length + stored }),
    map,
    data,
  ]);
}

function mangled(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  return `GNUSparseFile.0/${base}`.slice(0, 100);
}
