import * as v from 'valibot';
import { RegtarError, type ErrorCode, type ErrorPlace } from '../errors.ts';
import { printableWords } from '../io/printable.ts';
import { isDigest } from '../oci/digest.ts';
import { headerOf, type Answer } from '../net/transport.ts';
import { tryJson } from '../io/try-json.ts';

/** One entry of a registry's error document. @see OCI distribution-spec v1.1, "Error Codes" */
export interface RegistryError {
  readonly code: string;
  readonly message: string;
  /** The blob or manifest that is meant, where it says so. */
  readonly digest?: string;
}

/** What was asked, for the sentence that says what failed. */
export interface Asked {
  /** The registry as the user knows it. */
  readonly host: string;
  /** A verb and its object: `push blob sha256:… to library/app`. */
  readonly doing: string;
  readonly where?: ErrorPlace | undefined;
  /** As whom it was asked, without any secret: `user "robot$ci", from --username`. */
  readonly account?: string | undefined;
  /** The account has proven itself: then a refusal is about its rights. */
  readonly isProven?: boolean | undefined;
  /** Takes secrets out of what the registry says. */
  readonly redact?: ((text: string) => string) | undefined;
}

const documentSchema = v.object({
  errors: v.array(
    v.looseObject({
      code: v.optional(v.string(), ''),
      message: v.optional(v.nullable(v.string()), ''),
      detail: v.optional(v.unknown()),
    }),
  ),
});
const wordsLimit = 600;

/** The entries of `{"errors": […]}`; none when the body is HTML, text or empty. */
function registryErrors(answer: Pick<Answer, 'body'>): readonly RegistryError[] {
  const parsed = v.safeParse(documentSchema, tryJson(answer.body));
  return parsed.success
    ? parsed.output.errors.map(({ code, message, detail }) => ({
        code,
        message: message ?? '',
        ...(typeof detail === 'string' && isDigest(detail) && { digest: detail }),
      }))
    : [];
}

/**
 * What the registry, or a proxy before it, says in its own words: one line without control characters, at most 600
 * characters.
 */
export function wordsOf(answer: Pick<Answer, 'body' | 'headers'>): string {
  const errors = registryErrors(answer);
  if (errors.length > 0)
    return plain([...new Set(errors.map(({ code, message }) => (message === '' ? code : message)))].join('; '));
  const text = Buffer.from(answer.body.subarray(0, 64 * 1024)).toString('utf8');
  if (!/^\s*</.test(text)) return plain(text);
  return plain(/<title>([^<]*)<\/title>/i.exec(text)?.[1] ?? /<h1>([^<]*)<\/h1>/i.exec(text)?.[1] ?? '');
}

/**
 * A refusal as an error that says who has to act. Harbor's meanings are among them because its answers cannot be
 * mistaken:
 * 403 with a quota's or read-only mode's words, 412 for immutable tags, 401 with an empty challenge for a missing
 * project.
 */
export function explainAnswer(answer: Answer, asked: Asked): RegtarError {
  const redact = asked.redact ?? ((text: string) => text);
  const words = redact(wordsOf(answer));
  const { code, hint } = meaningOf(answer, words, asked);
  const unknown = registryErrors(answer).flatMap((error) =>
    error.digest !== undefined && error.code.endsWith('BLOB_UNKNOWN') ? [error.digest] : [],
  );
  const said = words === '' ? `status ${answer.status}` : `${answer.status}: ${words}`;
  const account =
    (answer.status === 401 || code === 'AUTH_DENIED') && asked.account !== undefined ? ` as ${asked.account}` : '';
  return new RegtarError(code, `${asked.host} refused to ${asked.doing}${account} (${said})`, {
    side: code === 'MANIFEST_INVALID' || code === 'BLOB_CORRUPT' ? 'source' : 'target',
    hint,
    where: { ...asked.where, status: answer.status, ...(unknown.length > 0 && { digests: unknown }) },
  });
}

interface Meaning {
  readonly code: ErrorCode;
  readonly hint?: string | undefined;
}

function meaningOf(answer: Answer, words: string, asked: Asked): Meaning {
  const codes = registryErrors(answer).map((error) => error.code);
  switch (answer.status) {
    case 400:
      return badRequest(codes);
    case 401:
      return unauthorized(answer, words, asked);
    case 403:
      return forbidden(words);
    case 404:
      return {
        code: 'TARGET_REFUSED',
        hint:
          codes.includes('NAME_UNKNOWN') || codes.includes('NOT_FOUND')
            ? "check the repository's name, and that its project exists"
            : undefined,
      };
    case 405:
      return { code: 'TARGET_REFUSED', hint: 'this registry takes no pushes: it may be a mirror, or read-only' };
    case 407:
      return { code: 'AUTH_FAILED', hint: 'the proxy asks for a password: write it into HTTPS_PROXY' };
    case 412:
      return {
        code: 'TAG_IMMUTABLE',
        hint:
          'the tag may not be changed: delete it or its immutability rule, or leave it out with --exclude or ' +
          '--on-existing-tag skip',
      };
    case 413:
      return {
        code: 'BODY_TOO_LARGE',
        hint:
          'a proxy before the registry limits bodies: raise its limit (client_max_body_size 0; in nginx), or ' +
          'push with a smaller --chunk-size',
      };
    case 408:
    case 429:
      return {
        code: 'TARGET_UNAVAILABLE',
        hint: 'the registry asks for patience: try again later, or with fewer --jobs',
      };
    case 507:
      return { code: 'QUOTA_EXCEEDED', hint: "the registry's disk or the project's quota is full" };
    default:
      break;
  }
  if (/no space left|insufficient storage/i.test(words))
    return { code: 'QUOTA_EXCEEDED', hint: "the registry's disk is full" };
  if (answer.status === 501 || answer.status === 505)
    return {
      code: 'TARGET_UNAVAILABLE',
      hint: 'this registry cannot do that: it may be too old, or a proxy before it',
    };
  if (answer.status >= 500)
    return {
      code: 'TARGET_UNAVAILABLE',
      hint: "look into the registry's log; then run the same command again: it continues where it stopped",
    };
  if (answer.status >= 300 && answer.status < 400)
    return { code: 'TARGET_REFUSED', hint: 'it redirects where a registry would answer: check the address' };
  return { code: 'TARGET_REFUSED' };
}

function badRequest(codes: readonly string[]): Meaning {
  if (codes.includes('DIGEST_INVALID'))
    return {
      code: 'TARGET_DIFFERS',
      hint: 'other bytes arrived than were sent: something between here and the registry changes them',
    };
  if (codes.some((code) => /^(?:MANIFEST_BLOB_UNKNOWN|MANIFEST_UNKNOWN|BLOB_UNKNOWN)$/.test(code)))
    return {
      code: 'CHILD_MISSING',
      hint:
        'the registry lacks a blob or manifest that this one names; `regtar verify` shows whether the ' +
        'backup has it',
    };
  if (codes.includes('MANIFEST_INVALID'))
    return { code: 'MANIFEST_UNSUPPORTED', hint: 'this registry does not take manifests of this type or size' };
  return { code: 'TARGET_REFUSED' };
}

function unauthorized(answer: Answer, words: string, { isProven, where }: Asked): Meaning {
  const challenge = headerOf(answer, 'www-authenticate');
  if (challenge?.trim() === '' && /project \S+ not found/i.test(words))
    return { code: 'PROJECT_MISSING', hint: 'create the project first, or let --create-projects do it' };
  if (challenge?.trim() === '' && /un-?recognized request/i.test(words))
    return {
      code: 'REPOSITORY_INVALID',
      hint: 'the registry does not allow this repository name: rename it with --map',
    };
  if (
    /insufficient_scope|unauthorized to access repository|access to the requested resource is not authorized|denied/i.test(
      `${words} ${challenge ?? ''}`,
    )
  ) {
    return {
      code: 'AUTH_DENIED',
      hint: 'the account may not do this here: check its role in the project, and which account was used',
    };
  }
  if (isProven === true)
    return {
      code: 'AUTH_DENIED',
      hint:
        'the login works, but the account has no such ' +
        `right${where?.repository === undefined ? '' : ` in ${where.repository}`}: it needs pull and push ` +
        'in the project',
    };
  return {
    code: 'AUTH_FAILED',
    hint: 'check user and password: --username with --password-stdin, or `docker login` or `skopeo login` first',
  };
}

function forbidden(words: string): Meaning {
  if (/exceed the configured upper limit|quota/i.test(words))
    return {
      code: 'QUOTA_EXCEEDED',
      hint: "raise the project's quota, or delete what it no longer needs and let garbage collection run",
    };
  if (/read.?only mode/i.test(words))
    return { code: 'READ_ONLY', hint: "an administrator has to end the registry's read-only mode" };
  if (/proxy project/i.test(words))
    return {
      code: 'PROJECT_PROXY',
      hint: 'a proxy-cache project takes no pushes: choose another with --project or --map',
    };
  return {
    code: 'AUTH_DENIED',
    hint: 'the account may not do this here: check its role in the project, and which account was used',
  };
}

function plain(text: string): string {
  const line = printableWords(text);
  return line.length > wordsLimit ? `${line.slice(0, wordsLimit)}…` : line;
}
