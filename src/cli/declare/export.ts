import { Option } from 'commander';
import type { ExportOptions } from '../commands/export.ts';
import { addCommon, addCopy, addNames, addReport, addSelection } from './options.ts';
import { present, type Declare, type GlobalOptions } from './run.ts';
import { ownerIds, splitBy } from './values.ts';

export const declareExport: Declare = (program, run) => {
  addReport(
    addNames(
      addCopy(
        addSelection(
          addCommon(
            program
              .command('export')
              .description('write images as files that other tools take')
              .argument('[SOURCE]', 'the backup; docker.tar where none is given')
              .argument('[OUT]', 'a folder, a file or - for standard output'),
          ),
        ),
      ),
    ),
  )
    .addOption(
      new Option('--format <format>', 'what to write')
        .choices(['oci', 'dir', 'docker-archive', 'registry'])
        .default('oci'),
    )
    .option('--force', 'replace what regtar made at OUT before')
    .option('--link', 'hard-link files of a directory SOURCE instead of copying them')
    .option('--per-repository', 'oci: one layout for each repository')
    .addOption(new Option('--path-style <style>', 'dir: names that exFAT and NTFS take').choices(['skopeo', 'safe']))
    .option('--prefix <host/project>', 'oci, docker-archive: put before names that loaders see')
    .option('--split <how>', 'docker-archive: image, repository or a size such as 4GB', splitBy)
    .option(
      '--base <old>',
      'oci, registry: leave out blobs that OLD has: a backup, an OCI layout, or a file of --save-digests',
    )
    .option('--save-digests <file>', 'write what the other side has after this handoff, for the next --base')
    .option('--owner <uid:gid>', 'registry: whom the files belong to, such as 10000:10000 for Harbor 1.x', ownerIds)
    .action(async (source: string | undefined, out: string | undefined, options: GlobalOptions & ExportOptions) =>
      run(options, async (context) =>
        (await import('../commands/export.ts')).exportImages(present(source, out), options, context),
      ),
    );
};
