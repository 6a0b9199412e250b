import { readFile, stat } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { createGraphReader, type GraphReader } from '../content/image-graph.ts';
import { RegtarError, systemReason } from '../errors.ts';
import { openPipe } from '../io/open-pipe.ts';
import { parsePlatform, type Platform } from '../oci/platform.ts';
import { createFilter, parseImagesList, type FilterOptions, type ImageFilter } from '../select/filter.ts';
import type { RenameRepository } from '../select/rename.ts';
import { createPlan, type PlanOptions } from '../select/create-plan.ts';
import type { Plan } from '../select/plan.ts';
import { requireImages } from '../select/require-images.ts';
import { resolveNames } from '../select/resolve-name.ts';
import { chooseTags, isChoice, type Clock, type TagChoice } from '../select/tag-choice.ts';
import { unmatchedGlobs, unmatchedMaps } from '../select/unmatched.ts';
import type { Context } from './context.ts';
import { whileWaiting } from './hold-pipes.ts';
import type { BackupOptions, OpenedBackup } from './open-backup.ts';

/** Which images, by name and by time. */
export interface ChoiceOptions extends BackupOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly images?: string;
  readonly newest?: number;
  /** Seconds since 1970. */
  readonly since?: number;
  /** Seconds since 1970, the first that is out. */
  readonly until?: number;
  readonly semver?: string;
  readonly by?: Clock;
}

/** Options that choose images. */
export interface SelectionOptions extends ChoiceOptions {
  readonly platform?: readonly string[];
  readonly untagged?: boolean;
}

/** What was asked for, before any backup is open. */
export interface Selection extends FilterOptions {
  readonly choice: TagChoice;
  readonly platforms: readonly Platform[];
  /** Whether anything was asked for that leaves images out. */
  readonly isNarrow: boolean;
}

/** What was asked for, as one backup answers it. */
export interface SettledSelection {
  readonly filter: ImageFilter;
  /** Names that must be found, as the backup has them. */
  readonly wanted: ReadonlySet<string> | undefined;
  readonly platforms: readonly Platform[];
  readonly graph: GraphReader;
  /** Why nothing was chosen, in words; what chose, where something was. */
  readonly reasons: readonly string[];
}

/**
 * Reads what options say, so that a wrong one is found before anything is opened.
 * @throws RegtarError FILTER_INVALID, REFERENCE_INVALID, USAGE
 */
export async function readSelection(
  options: SelectionOptions,
  context: Pick<Context, 'output' | 'signal'>,
): Promise<Selection> {
  const images =
    options.images === undefined ? undefined : parseImagesList(await readTextFile(options.images, context));
  const { include, exclude, newest, since, until, semver, by } = options;
  const choice = { newest, since, until, semver, by };
  refuseChoice(choice, options);
  createFilter({ include, exclude });
  return {
    include,
    exclude,
    images,
    choice,
    platforms: (options.platform ?? []).map(parsePlatform),
    isNarrow: isChoice(choice) || [include, exclude, images].some((part) => part !== undefined),
  };
}

/** Answers a selection out of a backup. @throws RegtarError TIMES_UNUSABLE, USAGE */
export async function settleSelection(
  selection: Selection,
  { catalog, store }: Pick<OpenedBackup, 'catalog' | 'store'>,
): Promise<SettledSelection> {
  const { include, exclude, choice, platforms } = selection;
  const graph = createGraphReader(store);
  const images = selection.images && resolveNames(catalog, selection.images);
  const named = createFilter({ include, exclude, images });
  const reasons = unmatchedGlobs(catalog, { include, exclude });
  if (!isChoice(choice)) return { filter: named, wanted: images, platforms, graph, reasons };
  const { filter, told, passedOver } = await chooseTags({ catalog, store, graph }, named, choice);
  const wanted = images && new Set([...images].filter((name) => !passedOver.has(name)));
  return { filter, wanted, platforms, graph, reasons: [...reasons, told] };
}

/** How repositories are called in the target, and the maps that say so. */
export interface Names {
  readonly rename: RenameRepository;
  readonly maps: readonly string[] | undefined;
}

/**
 * The plan of a selection. What chose, and what matched nothing, is noted on standard error.
 * @throws RegtarError NOTHING_SELECTED, MAP_INVALID, OUTPUT_COLLISION and those of `settleSelection`
 */
export async function planSelection(
  selection: Selection,
  opened: Pick<OpenedBackup, 'catalog' | 'store'>,
  { rename, maps = [] }: Names,
  options: Omit<PlanOptions, 'filter' | 'wanted' | 'platforms' | 'graph' | 'rename'>,
  context: Pick<Context, 'output'>,
): Promise<Plan> {
  const { catalog, store } = opened;
  const { reasons, ...settled } = await settleSelection(selection, opened);
  const plan = createPlan(catalog, store, { ...settled, rename, ...options });
  requireImages(plan, catalog, reasons);
  tellReasons([...reasons, ...unmatchedMaps(catalog, maps)], context);
  return plan;
}

/** What chose, and what matched nothing. */
export function tellReasons(reasons: readonly string[], { output }: Pick<Context, 'output'>): void {
  for (const reason of reasons) output.message(`note: ${reason}`);
}

/** @throws RegtarError USAGE */
function refuseChoice(choice: TagChoice, { untagged }: SelectionOptions): void {
  if (choice.by !== undefined && !isChoice(choice))
    throw new RegtarError('USAGE', '--by says what --newest, --since and --until go by, but none of them is given', {
      hint: 'add --newest N, for instance',
    });
  if (choice.by === 'version' && (choice.since !== undefined || choice.until !== undefined))
    throw new RegtarError('USAGE', '--since and --until need a time, but --by version has none', {
      hint: 'choose versions with --semver, or leave --by version out',
    });
  if (untagged === true && isChoice(choice))
    throw new RegtarError(
      'USAGE',
      '--untagged does not go with --newest, --since, --until and --semver: they choose tags',
      {
        hint: 'name manifests without a tag by their digests: --include repository@sha256:…',
      },
    );
}

/** A small file that the person named; `-` is standard input. @throws RegtarError USAGE */
export async function readTextFile(path: string, context: Pick<Context, 'output' | 'signal'>): Promise<string> {
  return readNamed(path, context, { stream: text, file: () => readFile(path, 'utf8') });
}

/** The same as bytes, where it may be longer than a text can be. @throws RegtarError USAGE */
export async function readWholeFile(path: string, context: Pick<Context, 'output' | 'signal'>): Promise<Uint8Array> {
  return readNamed(path, context, { stream: buffer, file: () => readFile(path) });
}

async function readNamed<Content>(
  path: string,
  context: Pick<Context, 'output' | 'signal'>,
  read: { readonly stream: (stream: Readable) => Promise<Content>; readonly file: () => Promise<Content> },
): Promise<Content> {
  const { signal } = context;
  try {
    if (path === '-') return await read.stream(addAbortSignal(signal, process.stdin));
    if ((await stat(path)).isFile()) return await read.file();
    return await whileWaiting(path, context, () => read.stream(openPipe(path, signal)));
  } catch (cause) {
    signal.throwIfAborted();
    throw new RegtarError('USAGE', `${path} cannot be read: ${systemReason(cause)}`, {
      where: { path },
      cause,
      hint: 'name a file that can be read, or - for standard input',
    });
  }
}
