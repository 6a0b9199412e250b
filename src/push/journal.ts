import { readFileSync, rmSync } from 'node:fs';
import * as v from 'valibot';
import { RegtarError, systemErrorCode, systemReason } from '../errors.ts';
import { requireFile } from '../io/named-file.ts';
import { writeFileAtomically } from '../io/write-file.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { UploadSession } from '../remote/blobs.ts';
import type { UploadJournal } from '../remote/upload.ts';
import { tryJson } from '../io/try-json.ts';

/**
 * Remembers the upload sessions of large blobs for a later run. It holds what the registry has signed, and no
 * credential; a reader who may push could continue these uploads, so only its owner may read it. Losing it costs
 * time and nothing else.
 */
export interface PushJournal {
  of(
    repository: string,
    blob: Descriptor,
  ): { readonly session: UploadSession | undefined; readonly journal: UploadJournal };
}

/** Whose sessions a journal holds, and how strict it is about its file. */
export interface PushJournalOptions {
  /** The registry's origin: sessions of other registries are kept for them, and never used here. */
  readonly origin: string;
  /**
   * Whether the file was named: then it must be one of ours; else a foreign file means that there is no journal.
   */
  readonly isNamed: boolean;
  readonly now?: number | undefined;
}

const kind = 'regtar push sessions';
const sessionSchema = v.object({
  location: v.string(),
  offset: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  minChunkBytes: v.optional(v.number()),
  saved: v.string(),
});
const fileSchema = v.object({
  kind: v.literal(kind),
  version: v.literal(1),
  sessions: v.record(v.string(), v.unknown()),
});
type Session = v.InferOutput<typeof sessionSchema>;

/** Registries clear uploads away after a week. @see distribution, docs/configuration.md, "uploadpurging" */
const keptMilliseconds = 7 * 24 * 3600 * 1000;

/**
 * @returns undefined where no journal can be kept
 * @throws RegtarError STATE_INVALID when a named file is something else
 */
export function openPushJournal(named: string, options: PushJournalOptions): PushJournal | undefined {
  const path = journalFile(named, options);
  if (path === undefined) return undefined;
  const sessions = readSessions(path, options);
  if (sessions === undefined) return undefined;
  const write = (): void => {
    try {
      if (sessions.size === 0) rmSync(path, { force: true });
      else {
        const document = { kind, version: 1, sessions: Object.fromEntries(sessions) };
        writeFileAtomically(path, Buffer.from(`${JSON.stringify(document, undefined, 2)}\n`), {
          mode: 0o600,
          sync: false,
        });
      }
    } catch (cause) {
      // Beside a source on read-only media there is no journal, and none is needed.
      if (options.isNamed)
        throw new RegtarError('STATE_INVALID', cause instanceof Error ? cause.message : String(cause), {
          where: { path },
          cause,
        });
    }
  };
  return {
    of(repository, { digest }) {
      const key = `${options.origin}/${repository}@${digest}`;
      return {
        session: usable(sessions.get(key), repository, options.origin),
        journal: {
          save({ location, offset, minChunkBytes }) {
            sessions.set(key, {
              location,
              offset,
              ...(minChunkBytes !== undefined && { minChunkBytes }),
              saved: new Date().toISOString(),
            });
            write();
          },
          forget() {
            if (sessions.delete(key)) write();
          },
        },
      };
    },
  };
}

/** A link leads to its file; a device is never replaced, nor removed. */
function journalFile(named: string, { isNamed }: PushJournalOptions): string | undefined {
  try {
    return requireFile(named);
  } catch (cause) {
    if (!isNamed) return undefined;
    throw new RegtarError('STATE_INVALID', cause instanceof Error ? cause.message : String(cause), {
      where: { path: named },
      hint: 'name a file with --state: it only saves time',
      cause,
    });
  }
}

/** A location elsewhere could lead credentials and blobs astray. */
function usable(session: Session | undefined, repository: string, origin: string): UploadSession | undefined {
  if (session === undefined || !URL.canParse(session.location)) return undefined;
  const url = new URL(session.location);
  if (url.origin !== origin || !url.pathname.startsWith(`/v2/${repository}/blobs/uploads/`)) return undefined;
  return { location: session.location, offset: session.offset, minChunkBytes: session.minChunkBytes };
}

function readSessions(
  path: string,
  { isNamed, now = Date.now() }: PushJournalOptions,
): Map<string, Session> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return new Map();
    if (!isNamed) return undefined;
    throw new RegtarError('STATE_INVALID', `${path} cannot be read: ${systemReason(cause)}`, {
      where: { path },
      cause,
    });
  }
  const parsed = v.safeParse(fileSchema, text.trim() === '' ? { kind, version: 1, sessions: {} } : tryJson(text));
  if (!parsed.success) {
    // A foreign file must not be lost.
    if (!isNamed) return undefined;
    throw new RegtarError('STATE_INVALID', `${path} is not a file that a push has written`, {
      where: { path },
      hint: 'name another file with --state, or delete this one: it only saves time',
    });
  }
  const sessions = new Map<string, Session>();
  for (const [key, value] of Object.entries(parsed.output.sessions)) {
    const session = v.safeParse(sessionSchema, value);
    if (session.success && now - Date.parse(session.output.saved) < keptMilliseconds) sessions.set(key, session.output);
  }
  return sessions;
}
