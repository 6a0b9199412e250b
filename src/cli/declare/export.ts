import { Option, type Command } from 'commander';
import type { FormatDeclaration } from '../../formats/format.ts';
import { formatNames, formatsWhere } from '../../formats/formats.ts';
import type { ExportOptions } from '../commands/export.ts';
import { addCommon, addCopy, addNames, addReport, addSelection } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';
import { byteSize, ownerIds, splitBy, volumeRange } from './values.ts';

const deltaFormats = formatsWhere(({ delta }) => delta).join(', ');

function formatsWith(option: FormatDeclaration['options'][number]): string {
  return formatsWhere(({ options }) => options.includes(option)).join(', ');
}

/** `regtar export` */
export const declareExport: Declare = (program, run) => {
  addReport(
    addNames(
      addCopy(
        addSelection(
          addCommon(
            program
              .command('export')
              .description('write images as files that other tools read')
              .argument('[SOURCE]', 'the backup; docker.tar where none is given; several are read as one')
              .argument('[OUT]', 'a folder, a file or - for standard output')
              .allowExcessArguments(),
          ),
        ),
      ),
    ),
  )
    .addOption(new Option('--format <format>', 'what to write').choices(formatNames).default(formatNames[0]))
    .option('--force', 'replace what regtar wrote to OUT before')
    .option('--resume', 'continue an interrupted export: what is there stays if its bytes are right')
    .option('--link', 'hard-link files of a directory SOURCE instead of copying them')
    .option('--per-repository', `${formatsWith('perRepository')}: one layout for each repository`)
    .addOption(
      new Option('--path-style <style>', `${formatsWith('pathStyle')}: names that exFAT and NTFS accept`).choices([
        'skopeo',
        'safe',
      ]),
    )
    .option('--prefix <host/project>', `${formatsWith('prefix')}: put before the names that loaders see`)
    .option('--split <how>', `${formatsWith('split')}: image, repository or a size such as 4GB`, splitBy)
    .option(
      '--volume-size <size>',
      `${formatsWith('volumeSize')}: make OUT a folder of archives of at most this size, such as 4.4G or 700MB`,
      byteSize,
    )
    .option('--split-blobs', 'volumes: cut what is larger than one into parts')
    .option('--volumes <n>', 'volumes: write only these, such as 2 or 2-3', volumeRange)
    .option(
      '--base <old>',
      `${deltaFormats}: leave out blobs that OLD has: a backup, an OCI layout, or a file of --save-digests`,
    )
    .option('--save-digests <file>', 'write what the other side has after this export, for the next --base')
    .option(
      '--owner <uid:gid>',
      `${formatsWith('owner')}: the owner of the files, such as 10000:10000 for Harbor 1.x`,
      ownerIds,
    )
    .action(async (_source: unknown, _operand: unknown, options: GlobalOptions & ExportOptions, command: Command) =>
      run(options, async (context) =>
        (await import('../commands/export.ts')).exportImages(command.args, options, context),
      ),
    );
};
