import { RegtarError, toRegtarError } from '../errors.ts';
import { exitCodeOf } from './exit-code.ts';
import { createOutput, formatError } from './output.ts';

declare const REGTAR_VERSION: string;

/** The version of the package, put in when the program is bundled. */
export const version: string = REGTAR_VERSION;

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  // Nothing else is loaded for this: wrappers ask often.
  process.stdout.write(`${version}\n`);
} else {
  void run(args).then((code) => void (process.exitCode = code));
}

async function run(argv: readonly string[]): Promise<number> {
  // `regtar list | head` closes the pipe: that is the reader's choice, not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  const interrupted = new AbortController();
  let signals = 0;
  const onSignal = (): void => {
    signals++;
    if (signals > 1) process.exit(130);
    interrupted.abort(
      new RegtarError('INTERRUPTED', 'interrupted', {
        hint: 'what was finished stays valid; run the same command again to continue',
      }),
    );
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    const { runProgram } = await import('./program.ts');
    return await runProgram(argv, { version, signal: interrupted.signal });
  } catch (thrown) {
    const error = toRegtarError(thrown);
    const isVerbose = argv.includes('-v') || argv.includes('--verbose');
    createOutput({ quiet: false }).error(formatError(error, isVerbose));
    return exitCodeOf(error);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
