/** A report page as data. Every text may come out of an archive: the renderer escapes all of them. */
export interface Page {
  readonly title: string;
  readonly subtitle: string;
  /** What the reader came to know. It stands before everything else. */
  readonly verdict: Verdict;
  readonly facts: readonly Fact[];
  /** One bar that shows how a whole is divided. */
  readonly shares?: readonly Share[];
  readonly map?: MapNode;
  /** What is wrong, one by one: these tables stand before the pictures. */
  readonly problems: readonly Table[];
  readonly tables: readonly Table[];
  /** What the page is of, and what made it. */
  readonly footer: string;
  /** The same report for programs, carried inside the page. */
  readonly data?: unknown;
}

/** What a colour says: all is well, look at it, it is broken. Words beside it say the same. */
export type Tone = 'good' | 'warn' | 'bad';

/** The decision that a page is read for, with its reasons. */
export interface Verdict {
  /** `33 of 35 images arrived, 2 failed` */
  readonly text: string;
  readonly tone: Tone;
  /** What the verdict does not cover. */
  readonly note?: string;
  readonly reasons: readonly Reason[];
}

/** Why some did not arrive: everything with the same code together. */
export interface Reason {
  /** `2 failed` */
  readonly count: string;
  readonly tone: Tone;
  readonly code: string;
  /** The message; of several, one of them. */
  readonly text: string;
  readonly hint?: string;
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
  /** Greens are there, amber is left out, red is broken, grey was not reached. */
  readonly paint: 'good' | 'present' | 'warn' | 'bad' | 'grey';
}

/** One table of a page, which its reader can sort and search. */
export interface Table {
  /** `images`: the anchor of its heading. */
  readonly id: string;
  readonly title: string;
  readonly note?: string;
  /** Rows of sentences: on narrow screens each cell is a line of its own. */
  readonly isStacked?: true;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** One column of a table. */
export interface Column {
  readonly name: string;
  /** `number` is aligned right and sorted by `sort`; `hex` is a digest, `code` words that are not broken. */
  readonly kind: 'name' | 'text' | 'number' | 'hex' | 'code';
  /** Not shown on narrow screens; printed all the same. */
  readonly wide?: boolean;
}

/** A text, or a text with what it is sorted by and how it is shown. */
export type Cell =
  | string
  | {
      readonly text: string;
      /** What follows the text where it is searched and printed: the rest of a digest. */
      readonly rest?: string;
      readonly sort?: number;
      readonly title?: string;
      readonly tone?: Tone;
    };

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
