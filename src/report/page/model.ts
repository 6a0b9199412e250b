/** A report page as data. Every text may come out of an archive: the renderer escapes all of them. */
export interface Page {
  readonly title: string;
  readonly subtitle: string;
  readonly facts: readonly Fact[];
  /** One bar that shows how a whole is divided. */
  readonly shares?: readonly Share[];
  readonly map?: MapNode;
  readonly tables: readonly Table[];
  /** What the page is of, and what made it. */
  readonly footer: string;
  /** The same report for programs, carried inside the page. */
  readonly data?: unknown;
}

/** One line of a page's head. */
export interface Fact {
  readonly name: string;
  readonly value: string;
  /** Takes a line of its own: digests, commands. */
  readonly long?: boolean;
}

/** One piece of a page's bar. */
export interface Share {
  readonly name: string;
  readonly count: number;
  readonly paint: 'good' | 'present' | 'warn' | 'bad';
}

/** One table of a page, which its reader can sort and search. */
export interface Table {
  /** `images`: the anchor of its heading. */
  readonly id: string;
  readonly title: string;
  readonly note?: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** One column of a table. */
export interface Column {
  readonly name: string;
  /** `number` is aligned right and sorted by `sort`; `hex` is a digest. */
  readonly kind: 'name' | 'text' | 'number' | 'hex';
  /** Not shown on narrow screens. */
  readonly wide?: boolean;
}

/** A text, or a text with what it is sorted by and how it is shown. */
export type Cell =
  | string
  | { readonly text: string; readonly sort?: number; readonly title?: string; readonly tone?: 'good' | 'warn' | 'bad' };

/**
 * - `own`: bytes that one image alone needs
 * - `kept`: shared by images of one repository
 * - `common`: shared by several repositories
 * - `untagged`: what only untagged manifests need
 * - `unreached`: what nothing needs
 */
export type MapKind = 'own' | 'kept' | 'common' | 'untagged' | 'unreached';

/** A part of the treemap; a node with children has the bytes of its children. */
export interface MapNode {
  readonly name: string;
  readonly kind?: MapKind;
  readonly bytes?: number;
  /** More about it, for the line below the map. */
  readonly note?: string;
  readonly problem?: true;
  readonly children?: readonly MapNode[];
}
