import { Option, type Command } from 'commander';
import {
  collect,
  firstMoment,
  momentAfter,
  patience,
  seconds,
  shardOf,
  wholeNumber,
  wholeNumberFrom0,
} from './values.ts';

/**
 * What every command understands that reads a backup.
 * @param plainHttp what `--plain-http` does, where it does more than for SOURCE and TARGET
 */
export function addCommon(command: Command, plainHttp?: string): Command {
  return addGeneral(
    addPatience(
      command
        .option('--source <source>', 'another SOURCE, read together with the first; repeatable', collect)
        .option('--index-file <file>', 'the index of SOURCE (default: SOURCE.regtar-index beside it)')
        .option('--source-username <user>', 'SOURCE on a server: log in as this user')
        .option('--source-password-file <file>', "SOURCE on a server: the user's password, or a token without a user")
        .option('--source-ca-file <file>', 'SOURCE on a server: trust this certificate authority, too')
        .option('--s3-endpoint <url>', 's3://: the server, unless it is AWS or the address says ?endpoint=')
        .option(
          '--tag-map <file>',
          "tags that the storage does not hold: CSV, Harbor's artifact JSON, or a pg_dump of its tables",
        )
        .option('--repository <name>', 'the repository for images that SOURCE names by a tag alone, or not at all')
        .option(
          '--at-digest <repository:tag@digest>',
          'point a tag to an earlier image of its history; repeatable',
          collect,
        ),
      plainHttp,
    ),
  );
}

/** How regtar talks to servers, whether SOURCE lies on one or TARGET is one. */
export function addPatience(command: Command, plainHttp = 'use http, without TLS'): Command {
  if (command.options.some(({ long }) => long === '--plain-http')) return command;
  return command
    .option('--plain-http', plainHttp)
    .option('--retry-times <n>', 'how often to repeat a request after a temporary failure', wholeNumberFrom0)
    .option('--retry-delay <seconds>', 'the first pause between attempts', seconds)
    .option('--stall-timeout <seconds>', 'give up on a connection that moves no byte for this long', patience);
}

/** What every command understands. */
export function addGeneral(command: Command): Command {
  return addConfigOption(command)
    .option('--json', 'print a report for programs on standard output')
    .option('-q, --quiet', 'print results and failures only')
    .option('-v, --verbose', 'print more, stack traces included')
    .option('--no-progress', 'print no progress')
    .addOption(
      new Option(
        '--events <format>',
        'write events for programs to standard error: a JSON object a line, and nothing else',
      ).choices(['jsonl']),
    );
}

/** Where settings come from. */
export function addConfigOption(command: Command): Command {
  return command.option(
    '--config <file>',
    'read settings from this file instead of regtar.yaml in the working directory',
  );
}

/** Which images, and which of their platforms. */
export function addSelection(command: Command): Command {
  return addChoice(command).option(
    '--platform <os/arch>',
    'take only these platforms of multi-arch images; repeatable',
    collect,
  );
}

/** Which images: by name first, then by date and version, the newest last. */
export function addChoice(command: Command): Command {
  return command
    .option(
      '--include <glob>',
      'take only what matches repository:tag, or repository where the glob has no colon; repeatable',
      collect,
    )
    .option('--exclude <glob>', 'leave out what matches; repeatable', collect)
    .option('--images <file>', 'take only the names in this images.list; - is standard input')
    .option('--newest <n>', 'take only the n newest tags of each repository', wholeNumber)
    .option(
      '--since <when>',
      'take only what was pushed on or after a day, such as 2026-11-01, or 14d ago',
      firstMoment,
    )
    .option('--until <when>', 'take only what was pushed until the end of a day, or more than 14d ago', momentAfter)
    .option('--semver <range>', "take only tags that are versions in a range, such as '>=1.20 <2'")
    .addOption(
      new Option('--by <clock>', 'what --newest, --since and --until go by (default: pushed)').choices([
        'pushed',
        'created',
        'version',
      ]),
    );
}

/** How images are copied. */
export function addCopy(command: Command): Command {
  return command
    .option('-j, --jobs <n>', 'how many images to handle at once', wholeNumber)
    .option('--dry-run', 'print what would be done and do nothing')
    .addOption(new Option('--keep-going', 'go on when an image fails (the default)').conflicts('failFast'))
    .option('--fail-fast', 'stop at the first image that fails');
}

/** The report that travels with the images. */
export function addReport(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--report <file>',
        'write a report of what was taken from where and what became of each image: JSON, or a page where ' +
          'FILE ends in .html; repeatable',
      )
        .argParser(collect)
        .conflicts('dryRun'),
    )
    .option(
      '--no-source-hash',
      'report: leave out the SHA-256 of SOURCE, which takes one more reading of all its bytes',
    );
}

/** What travels beside tags, and under which names. */
export function addNames(command: Command): Command {
  return command
    .option(
      '--shard <i/n>',
      'take only part i of n, the same on every machine; n alone in a Kubernetes Indexed Job',
      shardOf,
    )
    .option('--untagged', 'also take manifests that no tag and no index reaches')
    .option('--no-referrers', 'leave signatures and other referrers behind')
    .option('--sparse', 'keep an index as it is even if platforms are left out')
    .option('--project <project>', 'the project for repositories of one component')
    .option('--map <from=to>', "rename repositories, such as 'old/*=new/*'; repeatable", collect);
}
