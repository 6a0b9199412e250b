import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/declare/program.ts';
import { commandName, runnableCommands } from '../../src/cli/help/command-names.ts';
import { errorHelp } from '../../src/cli/help/error-codes.ts';
import { examples } from '../../src/cli/help/examples.ts';
import { topics } from '../../src/cli/help/topics.ts';
import { regtarDone } from '../e2e/support/regtar.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const page = folder.file('regtar.1');
const program = createProgram('0.0.0', async () => Promise.resolve());

beforeAll(async () => writeFileSync(page, (await regtarDone(['help', '--man'])).stdout));
afterAll(() => folder.remove());

describeWith('mandoc', 'the manual', () => {
  it('is one that formatters have no complaint about', async () => {
    // That it has no date, so that the same sources give the same page, and that its lines are long, is meant.
    const { stdout, stderr } = await run('mandoc', ['-T', 'lint', page], { allowFailure: true });
    expect(
      `${stdout}${stderr}`
        .split('\n')
        .filter((line) => line !== '' && !/missing date|input text line longer/.test(line)),
    ).toEqual([]);
  });

  it('reads like the help: every command, option, example, topic and error', async () => {
    const { stdout } = await run('mandoc', ['-T', 'ascii', '-O', 'width=200', page]);
    // Bold and underlined letters are overstruck.
    const text = stdout.replaceAll(/.\u0008/g, '').replaceAll(/\s+/g, ' ');
    for (const command of runnableCommands(program)) {
      expect(text).toContain(`regtar ${commandName(command)}`);
      for (const option of command.options) expect(text).toContain(option.long);
      for (const { about, run: line } of examples[commandName(command)] ?? [])
        expect(text).toContain(`# ${about} ${line}`);
    }
    for (const topic of Object.values(topics)) expect(text).toContain(topic.text.trim().replaceAll(/\s+/g, ' '));
    for (const [code, { cause, remedy }] of Object.entries(errorHelp))
      expect(text).toContain(`${code} ${cause} ${remedy}`);
  });
});

describe('the package', () => {
  it('ships it', async () => {
    const [{ files } = { files: [] }] = JSON.parse(
      (await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: `${import.meta.dirname}/../..` }))
        .stdout,
    ) as { files: readonly { path: string }[] }[];
    expect(files.map(({ path }) => path)).toContain('dist/regtar.1');
  });
});
