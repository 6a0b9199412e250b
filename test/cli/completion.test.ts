import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { regtarDone } from '../e2e/support/regtar.ts';

const folder = temporaryFolder();
const script = (shell: string): string => folder.file(`completions.${shell}`);

beforeAll(async () => {
  writeFileSync(folder.file('registry-ca.pem'), '');
  writeFileSync(folder.file('two words.tar'), '');
  for (const shell of ['bash', 'zsh', 'fish'])
    writeFileSync(script(shell), (await regtarDone(['completion', shell])).stdout);
});
afterAll(() => folder.remove());

/** What is typed, and everything that may follow. */
const table: readonly { readonly typed: readonly string[]; readonly offered: readonly string[] }[] = [
  { typed: ['ver'], offered: ['verify'] },
  { typed: ['push', '--ca-f'], offered: ['--ca-file'] },
  { typed: ['push', '--registry-tok'], offered: ['--registry-token-stdin'] },
  { typed: ['inspect', '--ca-f'], offered: [] },
  { typed: ['export', '--format', 'do'], offered: ['docker-archive'] },
  { typed: ['config', 'ch'], offered: ['check'] },
  { typed: ['config', 'check', '--j'], offered: ['--json'] },
  { typed: ['config', 'check', 'exp'], offered: ['export'] },
  { typed: ['check', '--de'], offered: ['--deep'] },
  { typed: ['completion', 'f'], offered: ['fish'] },
  { typed: ['help', 'exit'], offered: ['exit-codes'] },
  { typed: ['help', 'BLOB_MI'], offered: ['BLOB_MISSING'] },
  { typed: ['push', '--ca-file', 'registry-'], offered: ['registry-ca.pem'] },
  { typed: ['verify', 'two'], offered: ['two words.tar'] },
  { typed: ['push', 'list', '--ca-f'], offered: ['--ca-file'] },
];

describe('regtar completion', () => {
  it.each(table)('bash, regtar $typed', async ({ typed, offered }) => {
    const complete =
      'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _regtar; for word in "${COMPREPLY[@]}"; do echo "$word"; done';
    const { stdout, stderr } = await run('bash', ['--norc', '-c', complete, script('bash'), 'regtar', ...typed], {
      cwd: folder.path,
    });
    expect({ words: lines(stdout), stderr }).toEqual({ words: offered, stderr: '' });
  });

  it('offers every command to bash, in the order of --help', async () => {
    const { stdout } = await run('bash', [
      '--norc',
      '-c',
      'source "$0"; COMP_WORDS=(regtar ""); COMP_CWORD=1; _regtar; echo "${COMPREPLY[@]}"',
      script('bash'),
    ]);
    expect(stdout.trim()).toMatch(/^inspect list verify push .*help$/);
  });
});

describeWith('fish', 'completions in fish', () => {
  // fish takes a word for a command wherever it stands.
  it.each(table.filter(({ typed }) => typed.join(' ') !== 'push list --ca-f'))(
    'fish, regtar $typed',
    async ({ typed, offered }) => {
      const { stdout } = await run(
        'fish',
        ['--no-config', '-c', `source ${script('fish')}; complete -C "regtar ${typed.join(' ')}"`],
        { cwd: folder.path, env: { HOME: folder.path } },
      );
      expect(lines(stdout).map((line) => line.split('\t')[0]?.replaceAll('\\ ', ' '))).toEqual(offered);
    },
  );
});

describeWith('zsh', 'completions in zsh', () => {
  /** A zsh with a terminal, in which Tab is pressed behind each word; `regtar` prints what it is given. */
  const terminal = String.raw`
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; cd ${folder.path}; autoload -Uz compinit; compinit -D -u; source ${script('zsh')}; regtar() { print -rl -- GOT: "$@" :TOG }; print REA""DY'
while zpty -r shell line '*READY*'; do [[ $line == *READY* ]] && break; done
zpty -w shell "$1"
answer=
while zpty -r shell line; do answer+=$line; [[ $line == :TOG* ]] && break; done
print -r -- "$answer"
zpty -d shell
`;

  it.each(table.filter(({ offered }) => offered.length === 1))('zsh, regtar $typed', async ({ typed, offered }) => {
    const { stdout } = await run('zsh', ['-f', '-c', terminal, 'zsh', `regtar ${typed.join(' ')}\t`], {
      env: { TERM: 'dumb', HOME: folder.path },
      timeoutSeconds: 20,
    });
    const words = lines(stdout.slice(stdout.lastIndexOf('GOT:'))).map((line) => line.trim());
    expect(words).toEqual(['GOT:', ...typed.slice(0, -1), ...offered, ':TOG']);
  });
});

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
