/** A tag while members pass. Digests are their numbers in the table of blobs. */
export interface TagRecord {
  current: number | undefined;
  currentState: 'absent' | 'empty' | 'invalid' | 'read';
  modified: number;
  /** Which of several backups `current` came from. */
  source: number;
  /** In order of the medium. Most tags have meant one thing only: a list for each of a million would be large. */
  history: number | number[] | undefined;
}

/** A repository while members pass. Digests are their numbers in the table of blobs. */
export interface RepositoryRecord {
  readonly tags: Map<string, TagRecord>;
  /** In the order of the medium; a link that is there twice stands here twice until `settleRecords`. */
  revisions: readonly number[];
  /** As `revisions`. */
  layers: readonly number[];
}

/** Repositories by name, each made when its first member passes. */
export interface Records {
  readonly repositories: ReadonlyMap<string, RepositoryRecord>;
  repository(name: string): RepositoryRecord;
  tag(repository: string, tag: string): TagRecord;
}

/** No repository yet. */
export function createRecords(): Records {
  const repositories = new Map<string, RepositoryRecord>();
  let lastName = '';
  let lastRepository: RepositoryRecord | undefined;
  const repository = (name: string): RepositoryRecord => {
    // Members of one repository follow each other: most lookups end here.
    if (name === lastName && lastRepository !== undefined) return lastRepository;
    let record = repositories.get(name);
    if (record === undefined) {
      record = { tags: new Map(), revisions: none, layers: none };
      repositories.set(ownText(name), record);
    }
    lastName = name;
    lastRepository = record;
    return record;
  };
  return {
    repositories,
    repository,
    tag(name, tag) {
      const { tags } = repository(name);
      let record = tags.get(tag);
      if (record === undefined) {
        record = { current: undefined, currentState: 'absent', modified: 0, source: 0, history: undefined };
        tags.set(tag, record);
      }
      return record;
    },
  };
}

const none: readonly never[] = [];

/**
 * A list with one more number. A list of one has no room to spare: there may be a million repositories with one
 * manifest each.
 */
export function withNumber(list: readonly number[], number: number): readonly number[] {
  if (list.length === 0) return [number];
  (list as number[]).push(number);
  return list;
}

/** Leaves each number once in a repository's lists, and no room behind the last. */
export function settleRecords(repositories: ReadonlyMap<string, RepositoryRecord>): void {
  for (const record of repositories.values()) {
    record.revisions = [...new Set(record.revisions)];
    record.layers = [...new Set(record.layers)];
  }
}

/** Adds what a tag meant once. */
export function addHistory(record: TagRecord, digest: number): void {
  const { history } = record;
  if (history === undefined) record.history = digest;
  else if (typeof history === 'object') history.push(digest);
  else if (history !== digest) record.history = [history, digest];
}

/** What a tag meant, each digest once, what it means now last. */
export function historyOf({ history, current }: TagRecord): readonly number[] {
  const digests = history === undefined ? [] : typeof history === 'object' ? history : [history];
  return [...new Set(current === undefined ? digests : [...digests, current])];
}

/** Part of a string keeps the whole alive: a name of 20 bytes would cost its path of 200. Names are ASCII. */
function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
