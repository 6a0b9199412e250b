import { expect, it } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { errorHelp } from '../../src/cli/help/error-codes.ts';

/** Chapters, each by the first of its codes. */
const chapters: Partial<Record<ErrorCode, string>> = {
  USAGE: 'Wrong use',
  SOURCE_NOT_FOUND: 'The backup',
  LINK_INVALID: 'What storage holds',
  MANIFEST_INVALID: 'Images',
  OUTPUT_FOREIGN: 'Outputs',
  TARGET_UNREACHABLE: 'Registries',
  ENGINE_UNREACHABLE: 'Engines and reports',
  INTERRUPTED: 'Others',
};

it('docs/troubleshooting.md says what `regtar help CODE` says; `npx vitest run test/docs --update` writes it', async () => {
  const rows = Object.entries(errorHelp).flatMap(([code, { cause, remedy }]) => {
    const chapter = chapters[code as ErrorCode];
    return [
      ...(chapter === undefined
        ? []
        : ['', `## ${chapter}`, '', '| code | what happened | what to do |', '| --- | --- | --- |']),
      `| \`${code}\` | ${cell(cause)} | ${cell(remedy)} |`,
    ];
  });
  await expect(`${[...head, ...rows].join('\n')}\n`).toMatchFileSnapshot('../../docs/troubleshooting.md');
});

const head = [
  '# Troubleshooting, by error code',
  '',
  'An error is one line on standard error, `regtar: CODE: what and where`, and mostly a second one, `hint: what to do next`. What is wrong with a',
  'backup without stopping anything is listed by `inspect` and `verify` with the same codes. `regtar help CODE` prints what stands here, so nobody',
  'needs this page behind the gap. Codes are never renamed: programs may match them.',
  '',
  '- `-v` adds the stack trace, for a report of a fault; it holds no passwords.',
  '- Exit codes: 1 failed, 2 wrong use, 3 finished with some images failed, 4 `verify` found damage, 130 interrupted. `regtar help exit-codes`.',
  '- After most failures the same command again is right: what is there already is not sent or written a second time.',
];

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
