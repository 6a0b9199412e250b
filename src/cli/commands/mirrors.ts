import { RegtarError } from '../../errors.ts';
import { parseTarget, type Target } from '../../remote/target.ts';
import { clientFiles } from '../../report/clients/client-files.ts';
import { mirrorOf, movedImages, movedNames, type MovedImage } from '../../report/clients/moved-names.ts';
import type { ContainerClient } from '../../report/clients/setup.ts';
import { readReport } from '../../report/read-report.ts';
import { createRenamer } from '../../select/rename.ts';
import { unmatchedMaps } from '../../select/unmatched.ts';
import { nothingSelected } from '../../select/require-images.ts';
import type { Context } from '../context.ts';
import { withBackup } from '../open-backup.ts';
import { splitOperands } from '../operands.ts';
import { renderClientFiles } from '../render/client-files.ts';
import {
  readSelection,
  readTextFile,
  readWholeFile,
  settleSelection,
  tellReasons,
  type ChoiceOptions,
} from '../selection.ts';

/** Everything that `regtar mirrors` understands. */
export interface MirrorsOptions extends ChoiceOptions {
  readonly for: ContainerClient | 'table';
  /** The old registry. */
  readonly from?: string;
  readonly report?: string;
  readonly project?: string;
  readonly prefix?: string;
  readonly map?: readonly string[];
  readonly caFile?: string;
  readonly plainHttp?: boolean;
}

/**
 * `regtar mirrors [SOURCE…] TARGET --for CLIENT`: what tells clients of the old registry about the new one. Nothing is
 * edited.
 */
export async function mirrors(operands: readonly string[], options: MirrorsOptions, context: Context): Promise<number> {
  const from = options.from === undefined ? undefined : parseTarget(options.from);
  if (from !== undefined && from.path !== '')
    throw new RegtarError('USAGE', `--from takes a registry, and "${from.path}" is a path below it`, {
      hint: `write --from ${from.host}`,
    });
  if (from === undefined && options.for !== 'table')
    throw new RegtarError('USAGE', `a file for ${options.for} needs --from: the registry in the old names`, {
      hint: 'write --from registry.example.com:5000, or docker.io; a backup does not say which registry it is from',
    });
  const authority = options.caFile === undefined ? undefined : await readTextFile(options.caFile, context);
  const { target, images } =
    options.report === undefined
      ? await fromSource(operands, options, context)
      : await fromReport(options.report, operands, options, context);
  if (options.for === 'table') printNames(movedNames(from?.host, target.host, images), context);
  else {
    const scheme = options.plainHttp === true ? 'http' : (target.scheme ?? 'https');
    const files = clientFiles(options.for, {
      registry: { host: target.host, scheme, authority },
      mirrors: [mirrorOf(from?.host ?? '', images)],
    });
    if (context.json) context.output.json({ files });
    else {
      if (files.length === 1 && files[0] !== undefined) context.output.message(`for ${files[0].path}:`);
      context.output.line(renderClientFiles(files));
    }
  }
  return 0;
}

interface Moved {
  readonly target: Target;
  readonly images: readonly MovedImage[];
}

async function fromReport(
  path: string,
  operands: readonly string[],
  options: MirrorsOptions,
  context: Context,
): Promise<Moved> {
  if (operands.length > 0 || options.map !== undefined || options.project !== undefined || options.prefix !== undefined)
    throw new RegtarError(
      'USAGE',
      '--report already says what went where: it does not go with SOURCE, TARGET or maps',
      {
        hint: 'leave them out, or leave --report out',
      },
    );
  const report = readReport(await readWholeFile(path, context), path);
  if (report.target.kind !== 'registry')
    throw new RegtarError('USAGE', `${path} is the report of an export, not of a push into a registry`, {
      hint: 'name SOURCE and TARGET instead',
    });
  const images = movedImages(report);
  if (images.length === 0)
    throw new RegtarError('NOTHING_SELECTED', `no image of ${path} arrived`, {
      hint: 'push again, and give that report',
    });
  return { target: parseTarget(report.target.name), images };
}

async function fromSource(operands: readonly string[], options: MirrorsOptions, context: Context): Promise<Moved> {
  const { sources, operand } = splitOperands(operands, options, 'TARGET');
  const target = parseTarget(operand);
  const selection = await readSelection(options, context);
  const prefix = [target.path, options.prefix].filter((part) => part !== undefined && part !== '').join('/');
  const rename = createRenamer({
    maps: options.map,
    project: options.project,
    prefix: prefix === '' ? undefined : prefix,
  });
  return withBackup(sources, { ...options, keep: 'small' }, context, async (opened) => {
    const { catalog } = opened;
    const { filter, reasons } = await settleSelection(selection, opened);
    const images: MovedImage[] = [];
    for (const repository of catalog.repositories()) {
      const tags = [...catalog.tags(repository)].filter(({ tag, digest }) => filter({ repository, tag, digest }));
      if (tags.length === 0) continue;
      const moved = rename(repository);
      images.push(...tags.map(({ tag, digest }) => ({ repository, tag, digest, moved })));
    }
    if (images.length === 0) throw nothingSelected(catalog, reasons);
    tellReasons([...reasons, ...unmatchedMaps(catalog, options.map ?? [])], context);
    return { target, images };
  });
}

function printNames(names: ReturnType<typeof movedNames>, { json, output }: Context): void {
  if (json) output.json({ names });
  else output.line(names.map(({ from, to }) => `${from} ${to}`).join('\n'));
}
