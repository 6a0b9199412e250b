import { RegtarError, toRegtarError } from '../errors.ts';
import { exitCodeOf } from './exit-code.ts';
import { createOutput, formatError } from './output.ts';
import { settleStandardOutput, writeStandardOutput } from './standard-output.ts';

declare const REGTAR_VERSION: string;

/** The version of the package, put in when the program is bundled. */
export const version: string = REGTAR_VERSION;

/** @see package.json, engines */
const oldestNode = [20, 18] as const;

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  // Nothing else is loaded for this: wrappers ask often.
  writeStandardOutput(`${version}\n`);
  void settle(0, false).then((code) => void (process.exitCode = code));
} else {
  void run(args).then((code) => void (process.exitCode = code));
}

/** What older versions lack shows up somewhere inside, in words that help no one. @throws RegtarError USAGE */
function refuseOldNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  throw new RegtarError(
    'USAGE',
    `regtar needs Node.js ${oldestNode.join('.')} or newer; this is ${process.versions.node}`,
    {
      hint: 'install a newer Node.js, or use the executable regtar-linux-x64, which has its own',
    },
  );
}

async function run(argv: readonly string[]): Promise<number> {
  // Messages that cannot be written, such as a full disk under `2> log`, must not end the work.
  process.stderr.on('error', () => undefined);
  const isVerbose = argv.includes('-v') || argv.includes('--verbose');
  const interrupted = new AbortController();
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals++;
    if (signals > 1) process.exit(130);
    interrupted.abort(
      new RegtarError('INTERRUPTED', signal === 'SIGINT' ? 'stopped by Ctrl-C' : `stopped by ${signal}`, {
        hint: 'what was finished stays valid; run the same command again to continue',
      }),
    );
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    refuseOldNode();
    const { runProgram } = await import('./program.ts');
    return await settle(await runProgram(argv, { version, signal: interrupted.signal }), isVerbose);
  } catch (thrown) {
    const error = toRegtarError(thrown);
    createOutput({ quiet: false }).error(formatError(error, isVerbose));
    return exitCodeOf(error);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** Says what standard output could not take. @returns the exit code, which is not 0 then */
async function settle(code: number, isVerbose: boolean): Promise<number> {
  const error = await settleStandardOutput();
  if (error === undefined) return code;
  createOutput({ quiet: false }).error(formatError(error, isVerbose));
  return code === 0 ? exitCodeOf(error) : code;
}
