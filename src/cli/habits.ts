import type { Command } from 'commander';
import { RegtarError } from '../errors.ts';

/** What users of skopeo, docker, crane and oras type by habit, and what regtar has in its place. */
interface Habit {
  /** The option, without a value. */
  readonly typed: readonly string[];
  /** Only this value is meant; any other one where it is left out. */
  readonly value?: RegExp;
  /** What is put in its place, where it means the same; the value follows where `takesValue`. */
  readonly means?: readonly string[];
  readonly takesValue?: true;
  /** What to write instead, where nothing means quite the same. */
  readonly say?: string;
}

const passwords = '--username with --password-stdin; every user of this machine can see a password on the command line';
const tls = '--insecure skips the verification of certificates, --plain-http speaks http';

const habits: readonly Habit[] = [
  { typed: ['--debug'], means: ['-v'] },
  { typed: ['--format', '-o', '--output'], value: /^json$/, means: ['--json'] },
  { typed: ['-o', '--output'], say: 'OUT is an operand: `regtar export docker.tar OUT`; reports go to --report FILE' },
  { typed: ['--format'], say: '--json prints for programs; formats are a matter of `regtar export`' },
  { typed: ['--filter'], means: ['--include'], takesValue: true },
  { typed: ['--concurrency', '--parallel', '--threads'], means: ['--jobs'], takesValue: true },
  { typed: ['--tls-verify', '--src-tls-verify', '--dest-tls-verify'], value: /^true$/, means: [] },
  { typed: ['--tls-verify', '--src-tls-verify', '--dest-tls-verify'], say: tls },
  { typed: ['-u', '-p', '--password', '--creds', '--src-creds', '--dest-creds'], say: passwords },
  { typed: ['--dest-authfile'], means: ['--authfile'], takesValue: true },
  {
    typed: ['--all', '-a', '--multi-arch', '--all-tags', '-r', '--recursive'],
    say: 'nothing: every image and every platform is taken, unless --include and --platform choose',
  },
  {
    typed: ['-f', '--force'],
    say: 'push replaces tags anyway (--on-existing-tag); export has --force for an OUT that holds something else',
  },
  { typed: ['-n'], say: '--dry-run, or --newest N' },
  {
    typed: ['--src', '--dest', '-s', '-d', '--dest-type', '--src-type'],
    say: 'SOURCE and TARGET are operands: `regtar push docker.tar harbor.example.com`',
  },
  { typed: ['--scoped', '--preserve-digests'], means: [] },
];

const commandHabits: Readonly<Record<string, string>> = {
  restore: 'push',
  import: 'load',
  copy: 'push or export',
  sync: 'push or export',
  save: 'export',
  ls: 'list',
  validate: 'verify',
  login:
    'nothing: accounts of docker login, podman login and skopeo login are used; or --username with --password-stdin',
};

/**
 * Puts our words in the place of others' where these mean the same.
 * @throws RegtarError USAGE naming ours where they do not quite; values are left out of it, since passwords are among
 * them
 */
export function understandHabits(argv: readonly string[], program: Command): readonly string[] {
  if (argv.length === 1 && argv[0] === 'version') return ['--version'];
  const command = program.commands.find((candidate) => candidate.name() === argv[0]);
  if (command === undefined) return argv;
  const declared = [command, ...command.commands].flatMap(({ options }) => options);
  const isOurs = (word: string): boolean => declared.some(({ long, short }) => long === word || short === word);
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--') return [...words, ...argv.slice(index)];
    const [typed = '', ...rest] = word.split('=');
    const isJoined = rest.length > 0;
    const value = isJoined ? rest.join('=') : argv[index + 1];
    const habit = isOurs(typed)
      ? undefined
      : habits.find((each) => each.typed.includes(typed) && fits(each, value, isJoined));
    if (habit === undefined) {
      words.push(word);
      continue;
    }
    if (habit.means === undefined)
      throw new RegtarError('USAGE', `regtar ${command.name()} has no option ${typed}`, {
        hint: `write ${habit.say ?? ''}`,
      });
    words.push(...habit.means, ...(habit.takesValue === true && value !== undefined ? [value] : []));
    if (!isJoined && (habit.takesValue === true || habit.value !== undefined)) index++;
  }
  return words;
}

/** What another program's command is called here. */
export function habitualCommand(word: string): string | undefined {
  return Object.hasOwn(commandHabits, word) ? commandHabits[word] : undefined;
}

/**
 * `--tls-verify true` is two words for some programs and one for others: a value that stands apart must be the one that
 * is meant.
 */
function fits({ value: expected }: Habit, value: string | undefined, isJoined: boolean): boolean {
  return expected === undefined || (value === undefined ? !isJoined : expected.test(value));
}
