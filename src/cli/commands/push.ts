import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { describeOperand, isFarOperand } from '../../source/far/operand.ts';
import { RegtarError } from '../../errors.ts';
import { openPushJournal, type PushJournal } from '../../push/journal.ts';
import { logIn, type PushLogin } from '../../push/login.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import type { OnExistingTag } from '../../push/presence.ts';
import { preparePush, type PreparedPush } from '../../push/push.ts';
import type { PushStorage } from '../../push/transfer.ts';
import type { Registry } from '../../remote/registry.ts';
import { parseTarget, type Target } from '../../remote/target.ts';
import type { ReportApproval } from '../../report/report.ts';
import { requireSignedImages } from '../../report/signed-images.ts';
import { createRenamer } from '../../select/rename.ts';
import type { Plan } from '../../select/plan.ts';
import type { Shard } from '../../select/shard.ts';
import type { Place } from '../../formats/registry/place.ts';
import { isBucketOutput, openBucketOutput } from '../bucket-output.ts';
import type { FarOptions } from '../far-access.ts';
import type { Context } from '../context.ts';
import { reportPaths } from '../run-report.ts';
import { compileLate } from '../compile-late.ts';
import { limitHeapGrowth } from '../heap-growth.ts';
import { withBackup, type BackupOptions, type OpenedBackup } from '../open-backup.ts';
import { openTarget, type RemoteOptions } from '../open-target.ts';
import { splitOperands } from '../operands.ts';
import { renderEstimate } from '../render/estimate.ts';
import { defaultJobs, runCopy, type CopyCommandOptions, type RunCopyExtras } from '../run-copy.ts';
import { planSelection, readSelection, type SelectionOptions } from '../selection.ts';
import { chooseShard, takeShard, type ShardChoice } from '../shard.ts';
import type { TrustedReport } from '../trusted-report.ts';

/** Flags that decide what travels, and under which names. */
interface PlanFlags extends SelectionOptions {
  readonly referrers?: boolean;
  readonly sparse?: boolean;
  readonly shard?: ShardChoice;
  readonly project?: string;
  readonly prefix?: string;
  readonly map?: readonly string[];
}

/** Flags that decide how it is pushed. */
interface PushFlags {
  readonly jobs?: number;
  readonly onExistingTag?: OnExistingTag;
  readonly createProjects?: boolean;
  readonly publicProjects?: boolean;
  readonly storageLimit?: number;
  readonly verify?: boolean;
  readonly chunkSize?: number;
  readonly inPlace?: boolean;
  readonly repair?: boolean;
  readonly keepFallbackTags?: boolean;
}

/** Flags of the target's own storage. */
interface StorageFlags {
  /** `--storage`: where it lies. */
  readonly storage?: string;
  readonly link?: boolean;
  readonly owner?: OwnerIds;
  readonly verifyStorage?: boolean;
}

/** Everything that `regtar push` understands: what the plan, the registry, the push and its report need. */
export interface PushOptions
  extends PlanFlags, RemoteOptions, PushFlags, StorageFlags, CopyCommandOptions, BackupOptions {
  readonly jobs?: number;
  /** `--no-harbor` */
  readonly harbor?: boolean;
  readonly state?: string;
  /** `--signed-report`: what may be pushed. */
  readonly signedReport?: string;
  /** `--require-signature`: the keys that may sign it. */
  readonly requireSignature?: string;
}

/** `regtar push [SOURCE] TARGET` */
export async function push(operands: readonly string[], options: PushOptions, context: Context): Promise<number> {
  // Planning and asking for thousands of tags makes garbage, too.
  limitHeapGrowth(40);
  compileLate();
  const { sources, operand } = splitOperands(operands, options, 'TARGET');
  const target = parseTarget(operand);
  const shard = chooseShard(options.shard, process.env);
  const path = [target.path, options.prefix].filter((part) => part !== undefined && part !== '').join('/');
  refuseStorageFlags(options);
  const signed = await readSignedReport(options, context);
  const plan = await planner(options, path, shard, context);
  const jobs = options.jobs ?? defaultJobs;
  const registry = await openTarget(target, { ...options, jobs }, context);
  try {
    if (options.insecure === true)
      context.output.message(`regtar: certificates of ${target.host} are not verified (--insecure)`);
    // Before the backup is read: a mistyped password must not cost the scan of a terabyte.
    const login = await logIn(registry, { jobs, harbor: options.harbor, path, signal: context.signal });
    refuseSparse(registry, login, options);
    const journal = openJournal(sources, registry, shard, options);
    const opening = {
      ...options,
      hashInput: options.report !== undefined,
      outputs: [
        ...reportPaths(options),
        ...(options.state === undefined ? [] : [{ name: '--state', path: options.state }]),
        // In place, what is there is only read.
        ...(options.storage === undefined || options.inPlace === true || isBucketOutput(options.storage)
          ? []
          : [{ name: '--storage', path: options.storage }]),
      ],
    };
    return await withBackup(sources, opening, context, (opened) =>
      withStorage(sources, options, context, async (storage) => {
        const planned = await plan(opened, login);
        if (signed !== undefined) requireSignedImages(planned.images, signed.report, options.signedReport ?? '');
        const prepared = await preparePush(registry, planned, {
          login,
          ...readPushFlags(options),
          store: opened.store,
          storage,
          journal,
          signal: context.signal,
        });
        return carryOut(prepared, opened, options, context, { target, path, shard, approval: signed?.approval });
      }),
    );
  } finally {
    await registry.close();
  }
}

/** Reads the flags at once, so that a wrong one is found before the target is asked. */
async function planner(
  options: PlanFlags,
  prefix: string,
  shard: Shard | undefined,
  context: Context,
): Promise<(opened: OpenedBackup, login: PushLogin) => Promise<Plan>> {
  const selection = await readSelection(options, context);
  const rename = createRenamer({
    maps: options.map,
    project: options.project,
    prefix: prefix === '' ? undefined : prefix,
  });
  const { untagged = false, referrers = true, sparse = false, map: maps } = options;
  return async (opened, { traits }) => {
    // What the backup lacks, the target may have.
    const planning = { traits, untagged, referrers, sparse, mayLack: true };
    const whole = await planSelection(selection, opened, { rename, maps }, planning, context);
    return takeShard(whole, shard, { isShared: true }, context);
  };
}

function readPushFlags(options: PushFlags): Parameters<typeof preparePush>[2] {
  return {
    jobs: options.jobs ?? defaultJobs,
    onExistingTag: options.onExistingTag,
    projects: {
      create: options.createProjects,
      isPublic: options.publicProjects,
      storageLimit: options.storageLimit,
    },
    chunkBytes: options.chunkSize,
    verify: options.verify,
    inPlace: options.inPlace,
    repair: options.repair,
    keepFallbackTags: options.keepFallbackTags,
  };
}

/** @throws RegtarError USAGE for flags that do not go together */
function refuseStorageFlags({ storage, link, owner, verifyStorage, inPlace, repair }: PushFlags & StorageFlags): void {
  const alone = [
    ...(link === true ? ['--link'] : []),
    ...(owner === undefined ? [] : ['--owner']),
    ...(verifyStorage === true ? ['--verify-storage'] : []),
  ];
  if (storage === undefined && alone.length > 0)
    throw new RegtarError('USAGE', `${alone.join(', ')} concern${alone.length === 1 ? 's' : ''} the target's storage`, {
      hint: 'name it with --storage, or leave them out',
    });
  if (inPlace === true && repair === true)
    throw new RegtarError('USAGE', '--in-place sends nothing, so it cannot repair anything', {
      hint: 'leave --in-place out: --repair sends only what is damaged or gone',
    });
}

/** Opens the target's storage where there is one, and closes it in every case. */
async function withStorage(
  sources: readonly string[],
  options: StorageFlags & Pick<PushFlags, 'inPlace'> & FarOptions & Pick<CopyCommandOptions, 'dryRun'>,
  context: Context,
  use: (storage: PushStorage | undefined) => Promise<number>,
): Promise<number> {
  if (options.storage === undefined) return use(undefined);
  const place = isBucketOutput(options.storage)
    ? await openBucketStorage(options.storage, sources, options, context)
    : await (
        await import('../../formats/registry/live-folder.ts')
      ).openLiveFolder(options.storage, { owner: options.owner, isReadOnly: options.dryRun });
  try {
    return await use({ place, link: options.link, verify: options.verifyStorage });
  } finally {
    await place.close();
  }
}

/** @throws RegtarError USAGE for flags that are about files, and what `openBucketOutput` throws */
function openBucketStorage(
  storage: string,
  sources: readonly string[],
  options: StorageFlags & Pick<PushFlags, 'inPlace'> & FarOptions,
  context: Context,
): Promise<Place> {
  if (options.link === true || options.owner !== undefined)
    throw new RegtarError('USAGE', 'a bucket has no links and no owners', { hint: 'leave --link and --owner out' });
  // In place, what is there is only read.
  return openBucketOutput(storage, '--storage', options.inPlace === true ? [] : sources, options, context);
}

function refuseSparse(registry: Registry, { harbor }: PushLogin, options: PlanFlags): void {
  if (harbor === undefined || options.sparse !== true) return;
  throw new RegtarError(
    'USAGE',
    `${registry.host} is a Harbor, which refuses an index that lacks a platform, so --sparse cannot work`,
    {
      hint:
        'leave it out: the index is then rewritten for the platforms that you choose; --no-harbor tries ' +
        'all the same',
    },
  );
}

/** Beside SOURCE where that is one file or folder; shards that run side by side have one each. */
function openJournal(
  sources: readonly string[],
  registry: Registry,
  shard: Shard | undefined,
  options: Pick<PushOptions, 'dryRun' | 'state'>,
): PushJournal | undefined {
  if (options.dryRun === true) return undefined;
  const origin = registry.describe();
  if (options.state !== undefined) return openPushJournal(options.state, { origin, isNamed: true });
  const [source] = sources;
  if (source === undefined || source === '-' || !(isFarOperand(source) || isThere(source))) return undefined;
  const part = shard === undefined ? '' : `-${shard.index}-of-${shard.count}`;
  // What lies elsewhere has nothing beside it that could be written.
  const name = isFarOperand(source) ? basename(describeOperand(source)) : source;
  return openPushJournal(`${resolve(name)}.push-state${part}.json`, { origin, isNamed: false });
}

/** @throws RegtarError SIGNATURE_INVALID, REPORT_INVALID, USAGE where one of the two options stands alone */
async function readSignedReport(
  { signedReport, requireSignature }: PushOptions,
  context: Context,
): Promise<TrustedReport | undefined> {
  if (signedReport === undefined && requireSignature === undefined) return undefined;
  if (signedReport === undefined || requireSignature === undefined)
    throw new RegtarError('USAGE', '--signed-report and --require-signature belong together', {
      hint: 'name the report and the keys of those who may sign it',
    });
  const { readTrustedReport } = await import('../trusted-report.ts');
  const trusted = await readTrustedReport(signedReport, requireSignature, context);
  context.output.message(
    `${signedReport} is signed by ${trusted.approval?.name ?? ''} (${trusted.approval?.key ?? ''})`,
  );
  return trusted;
}

/** Where a push goes, and who approved it. */
interface Delivery {
  readonly target: Target;
  readonly path: string;
  readonly shard: Shard | undefined;
  readonly approval: ReportApproval | undefined;
}

function carryOut(
  prepared: PreparedPush,
  opened: OpenedBackup,
  options: CopyCommandOptions,
  context: Context,
  { target, path, shard, approval }: Delivery,
): Promise<number> {
  const { harbor, inspection, estimate } = prepared;
  const { projectsToCreate } = inspection;
  const extras: RunCopyExtras = {
    subject: {
      command: 'push',
      opened,
      target: {
        kind: 'registry',
        name: target.host,
        ...(path !== '' && { path }),
        ...(harbor && { product: harbor.version === undefined ? 'Harbor' : `Harbor ${harbor.version}` }),
      },
      ...(shard && { shard }),
      ...(approval && { approval }),
    },
    mustHoldAll: true,
    stateOf: prepared.stateOf,
    planJson: {
      projects: [...inspection.projects.values()].map(({ name, state }) => ({ name, state })),
      projectsToCreate,
      estimate,
    },
    planLines: renderEstimate(estimate, projectsToCreate),
  };
  const onProjects = (names: readonly string[]): void =>
    context.output.message(`created ${names.length === 1 ? 'project' : 'projects'} ${names.join(', ')}`);
  for (const notice of prepared.notices) context.output.message(`regtar: ${notice}`);
  const job = {
    plan: prepared.plan,
    describe: prepared.describe,
    notes: prepared.notes,
    run: (follow: Parameters<PreparedPush['run']>[1]) => prepared.run(opened.store, { ...follow, onProjects }),
  };
  return runCopy(job, options, context, extras);
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
