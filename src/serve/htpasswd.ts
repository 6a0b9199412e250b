import { createHmac, randomBytes } from 'node:crypto';
import { RegtarError } from '../errors.ts';

/** Users and the bcrypt hashes of their passwords. */
export type Htpasswd = ReadonlyMap<string, string>;

/** What a known user says, or why a request is refused. */
export type Admission = 'welcome' | 'unknown' | 'busy';

/** Checks the `Authorization` of a request. */
export interface Doorkeeper {
  /** @param client address; one that fails waits longer and longer */
  admit(authorization: string | undefined, client: string): Promise<Admission>;
}

/** How passwords are checked. */
export interface DoorkeeperOptions {
  /** Compares a password with a bcrypt hash. */
  readonly compare: (password: string, hash: string) => Promise<boolean>;
  /** How long a client waits after a failure, in milliseconds. @defaultValue 1000 */
  readonly failureTime?: number;
}

interface Credential {
  readonly user: string;
  readonly password: string;
}

/** What bcrypt looks at: a longer password would be cut, and two would be equal. */
const longestPasswordBytes = 72;
const hashPattern = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** Of credentials that were seen, right and wrong ones apart. */
const mostRemembered = 1024;
/** Checks that wait for one client; the next one is told to come back. */
const mostWaiting = 16;
/** Checks that wait in all, of any clients. */
const mostWaitingAll = 256;
/** Checks hold up all clients: for each second of them there are so many without. */
const restsPerCheck = 3;

/**
 * Reads a password file as `htpasswd -B` writes it and docker-registry reads it.
 * @throws RegtarError HTPASSWD_INVALID naming the line
 * @see distribution, registry/auth/htpasswd
 */
export function parseHtpasswd(text: string, path: string): Htpasswd {
  const users = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const colon = entry.indexOf(':');
    const hash = entry.slice(colon + 1);
    if (colon < 1 || !hashPattern.test(hash))
      throw new RegtarError('HTPASSWD_INVALID', `line ${index + 1} of ${path} is not a user with a bcrypt hash`, {
        side: 'usage',
        where: { path },
        hint: 'make the file with `htpasswd -B -c FILE USER`; other kinds of hashes are not read',
      });
    users.set(entry.slice(0, colon), hash);
  }
  if (users.size === 0)
    throw new RegtarError('HTPASSWD_INVALID', `${path} names no user`, {
      side: 'usage',
      where: { path },
      hint: 'make the file with `htpasswd -B -c FILE USER`',
    });
  return users;
}

/**
 * Lets in who has a right password. A check costs tens of milliseconds, and clients send their password with every
 * request, so one that was right is remembered, as a hash with a key that lives as long as this process.
 */
export function createDoorkeeper(users: Htpasswd, { compare, failureTime = 1000 }: DoorkeeperOptions): Doorkeeper {
  const key = randomBytes(32);
  const right = new Set<string>();
  const wrong = new Set<string>();
  const queues = new Map<string, { waiting: number; last: Promise<unknown> }>();
  /** Credentials that are being checked. */
  const underCheck = new Map<string, Promise<Admission>>();
  // An unknown user costs as much as a known one, so that the time does not tell names.
  const [decoy = ''] = users.values();

  const inTurn = createTurns();
  let waiting = 0;

  const check = async ({ user, password }: Credential): Promise<boolean> => {
    const hash = users.get(user);
    const isEqual = await inTurn(() => compare(password, hash ?? decoy));
    return isEqual && hash !== undefined && Buffer.byteLength(password) <= longestPasswordBytes;
  };

  /** Of one client, one after the other: each wrong guess has to wait. */
  const checkInQueue = async (mark: string, client: string, credential: Credential): Promise<Admission> => {
    const queue = queues.get(client) ?? { waiting: 0, last: Promise.resolve() };
    if (queue.waiting >= mostWaiting || waiting >= mostWaitingAll) return 'busy';
    queues.set(client, queue);
    queue.waiting++;
    waiting++;
    const verdict = queue.last.then(async (): Promise<Admission> => {
      if (!wrong.has(mark) && (await check(credential))) {
        remember(right, mark);
        return 'welcome';
      }
      remember(wrong, mark);
      await new Promise((resolve) => setTimeout(resolve, failureTime));
      return 'unknown';
    });
    queue.last = verdict.catch(() => undefined);
    try {
      return await verdict;
    } finally {
      waiting--;
      queue.waiting--;
      if (queue.waiting === 0) queues.delete(client);
    }
  };

  return {
    async admit(authorization, client) {
      const credential = parseBasic(authorization);
      if (credential === undefined) return 'unknown';
      const { user, password } = credential;
      const mark = createHmac('sha256', key).update(`${user.length}:${user}:${password}`).digest('base64');
      if (right.has(mark)) return 'welcome';
      // All nodes of a site come at once, with one password: one check answers them.
      const asked = underCheck.get(mark);
      if (asked !== undefined) return asked;
      const verdict = checkInQueue(mark, client, credential).finally(() => underCheck.delete(mark));
      underCheck.set(mark, verdict);
      return verdict;
    },
  };
}

/** Checks of all clients, one after the other and with rests between them. */
function createTurns(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    let milliseconds = 0;
    const done = last.then(async () => {
      const began = performance.now();
      try {
        return await work();
      } finally {
        milliseconds = performance.now() - began;
      }
    });
    const rest = (): Promise<void> =>
      new Promise((resolve) => void setTimeout(resolve, milliseconds * restsPerCheck).unref());
    last = done.then(rest, rest);
    return done;
  };
}

/** @returns undefined where there is none, or none that is meant for this scheme */
function parseBasic(authorization: string | undefined): Credential | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization?.trim() ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The oldest goes: that user is checked again. */
function remember(marks: Set<string>, mark: string): void {
  marks.add(mark);
  const [oldest] = marks;
  if (marks.size > mostRemembered && oldest !== undefined) marks.delete(oldest);
}
