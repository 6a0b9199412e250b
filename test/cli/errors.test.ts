import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toRegtarError, type ErrorCode } from '../../src/errors.ts';
import { errorHelp } from '../../src/cli/help/error-codes.ts';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { describeWith } from '../support/peers.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { ErrorCase } from './errors/case.ts';
import { outputs } from './errors/outputs.ts';
import { problems } from './errors/problems.ts';
import { registries } from './errors/registries.ts';
import { servers } from './errors/servers.ts';
import { wrongUse } from './errors/wrong-use.ts';

describe('an error is one line with a code, and one with a hint', () => {
  it.each([...wrongUse, ...outputs, ...servers])('$code: $title', async (each) => isLineAndHint(each));

  describeWith('docker-registry', 'from registries', () => {
    it.each(registries)('$code: $title', async (each) => isLineAndHint(each));
  });

  it('and only -v adds the stack', async () => {
    expect((await regtar(['list', '/nonexistent', '-v'])).stderr).toMatch(
      /^regtar: SOURCE_NOT_FOUND: .*\nhint: .*\n.*\n\s+at .*:\d+:\d+/,
    );
  });
});

describe('what is wrong with a backup is listed, and help has the rest', () => {
  it.each(problems)('$code: $title', async ({ code, make, args, says }) => {
    const folder = temporaryFolder();
    const { stdout, stderr } = await regtar(['verify', await make(folder), ...(args?.(folder) ?? [])]);
    folder.remove();
    const line = `${stdout}${stderr}`.split('\n').find((each) => each.startsWith(`${code}: `));
    expect(line ?? `${stdout}${stderr}`).toMatch(new RegExp(`^${code}: `));
    expect(line).toMatch(says);
    expect((await regtarDone(['help', code])).stdout.replaceAll('\n', ' ')).toContain(errorHelp[code].remedy);
  });
});

async function isLineAndHint({ code, provoke, exit, says, hint }: ErrorCase): Promise<void> {
  const folder = temporaryFolder();
  const result = await provoke(folder);
  folder.remove();
  const lines = result.stderr.split('\n');
  const at = lines.findIndex((line) => line.replace(/^skipped: /, '').startsWith(`regtar: ${code}: `));
  expect([result.code, at >= 0 ? code : result.stderr]).toEqual([exit, code]);
  expect(lines[at]).toMatch(says);
  expect(lines[at + 1]).toMatch(/^hint: ./);
  expect(lines[at + 1]?.slice('hint: '.length)).toMatch(hint);
  expect(result.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
}

/** Codes that other tests provoke, with the words of their titles. */
const elsewhere: Partial<Record<ErrorCode, readonly [file: string, title: string]>> = {
  SOURCE_TOO_LARGE: ['formats/hostile.test.ts', 'more tags than fit into the heap are refused by name'],
  MEMORY_FULL: ['cli/full-heap.test.ts', 'indexes of many children'],
  SOURCE_CHANGED: ['verify/verify.test.ts', 'a backup that shrinks while it is read is not called damaged'],
  INDEX_STALE: ['source/saved-index.test.ts', 'bytes changed anywhere: never another answer, never a failure'],
  BLOB_UNREADABLE: ['verify/verify.test.ts', 'a blob that the medium does not give'],
  OUTPUT_BUSY: ['formats/suite.ts', 'tells the second of two exports into one place'],
  TARGET_TLS: ['remote/tls.test.ts', 'is refused, naming subject, issuer and the flag that helps'],
  PROJECT_MISSING: ['push/preflight.test.ts', 'a missing project that shall not be created'],
  PROJECT_NEEDED: ['push/preflight.test.ts', 'a repository of one component; the others go on'],
  PROJECT_INVALID: ['push/preflight.test.ts', 'names that Harbor has no projects and repositories for'],
  PROJECT_FORBIDDEN: ['push/preflight.test.ts', 'a robot of the system that may not create after all'],
  PROJECT_PROXY: ['push/preflight.test.ts', 'a proxy cache, to'],
  QUOTA_EXCEEDED: ['push/preflight.test.ts', 'a project without room, however much of it is there already'],
  READ_ONLY: ['push/preflight.test.ts', 'read-only mode, unless everything is there'],
  TAG_IMMUTABLE: ['push/preflight.test.ts', 'an immutable tag that would change; an equal one is present'],
  TAG_EXISTS: ['push/preflight.test.ts', 'a tag that exists, where that is an error'],
  SIGNATURE_INVALID: ['report/signature.test.ts', 'none of them, no'],
  IMAGE_UNSIGNED: ['e2e/signed-report.test.ts', 'images that are not in it stop the push before the first byte'],
  ENGINE_REFUSED: ['cli/examples.test.ts', 'what docker cannot unpack is said in its own words'],
};

describe('no code is only a word', () => {
  it('each is provoked by a test', () => {
    const provoked = [...wrongUse, ...outputs, ...servers, ...registries, ...problems].map(({ code }) => code);
    expect(new Set([...provoked, ...Object.keys(elsewhere), 'INTERNAL'])).toEqual(new Set(Object.keys(errorHelp)));
  });

  it.each(Object.entries(elsewhere))('%s, in %s', (code, [file, title]) => {
    const text = readFileSync(join(import.meta.dirname, '..', file), 'utf8');
    expect(text).toContain(code);
    expect(text).toContain(title);
  });

  it('INTERNAL is what nobody foresaw, and keeps its cause', () => {
    const cause = new TypeError('x is not a function');
    expect(toRegtarError(cause)).toMatchObject({ code: 'INTERNAL', message: 'x is not a function', cause });
  });
});
