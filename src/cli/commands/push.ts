import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { RegtarError } from '../../errors.ts';
import type { CopyReport } from '../../copy/events.ts';
import { harborDialect } from '../../harbor/dialect.ts';
import { projectOf } from '../../harbor/names.ts';
import { createProjects } from '../../harbor/preflight.ts';
import { isAtLeast, recogniseHarbor, type Harbor } from '../../harbor/recognise.ts';
import type { Registry } from '../../remote/registry.ts';
import { parseTarget } from '../../remote/target.ts';
import { createRenamer } from '../../select/names.ts';
import type { Shard } from '../../select/shard.ts';
import { createPlan, type Plan, type PlannedImage } from '../../select/plan.ts';
import { requireImages } from '../../select/require-images.ts';
import { openPushJournal, type PushJournal } from '../../push/journal.ts';
import { estimatePush } from '../../push/estimate.ts';
import { inspectRemote, type Inspection, type OnExistingTag } from '../../push/inspect.ts';
import { verifyRemote } from '../../push/read-back.ts';
import { openRemoteSink, remoteTraits } from '../../push/sink.ts';
import type { Context } from '../context.ts';
import { limitHeapGrowth } from '../heap-growth.ts';
import { openTarget, type RemoteOptions } from '../open-target.ts';
import { withBackup, type BackupOptions, type OpenedBackup } from '../open-backup.ts';
import { splitOperands } from '../operands.ts';
import { renderEstimate } from '../render/estimate.ts';
import { defaultJobs, runCopy, type CopyCommandOptions, type RunCopyExtras } from '../run-copy.ts';
import { readSelection, type SelectionOptions } from '../selection.ts';
import { chooseShard, takeShard, type ShardChoice } from '../shard.ts';

export interface PushOptions extends SelectionOptions, CopyCommandOptions, RemoteOptions, BackupOptions {
  readonly untagged?: boolean;
  readonly referrers?: boolean;
  readonly sparse?: boolean;
  readonly shard?: ShardChoice;
  readonly project?: string;
  readonly prefix?: string;
  readonly map?: readonly string[];
  readonly onExistingTag?: OnExistingTag;
  readonly createProjects?: boolean;
  readonly publicProjects?: boolean;
  readonly storageLimit?: number;
  /** `--no-harbor` */
  readonly harbor?: boolean;
  readonly verify?: boolean;
  readonly chunkSize?: number;
  readonly state?: string;
}

/** `regtar push [SOURCE] TARGET` */
export async function push(operands: readonly string[], options: PushOptions, context: Context): Promise<number> {
  // Planning and asking for thousands of tags makes garbage, too.
  limitHeapGrowth(40);
  const { sources, operand } = splitOperands(operands, options, 'TARGET');
  const target = parseTarget(operand);
  const shard = chooseShard(options.shard, process.env);
  const selection = await readSelection(options);
  const prefix = [target.path, options.prefix].filter((part) => part !== undefined && part !== '').join('/');
  const rename = createRenamer({
    maps: options.map,
    project: options.project,
    prefix: prefix === '' ? undefined : prefix,
  });
  const registry = await openTarget(target, { ...options, jobs: jobsOf(options) }, context);
  try {
    if (options.insecure === true)
      context.output.message(`regtar: certificates of ${target.host} are not verified (--insecure)`);
    // Before the backup is read: a mistyped password must not cost the scan of a terabyte.
    const harbor = await logIn(registry, options, context);
    const journal = openJournal(sources, registry, shard, options);
    return await withBackup(
      sources,
      { ...options, hashInput: options.report !== undefined },
      context,
      async (opened) => {
        const { catalog, store } = opened;
        const traits = remoteTraits({
          jobs: jobsOf(options),
          schema1: harbor !== undefined && isAtLeast(harbor, 2, 15) === false,
        });
        const whole = createPlan(catalog, store, {
          ...selection,
          rename,
          traits,
          untagged: options.untagged ?? false,
          referrers: options.referrers ?? true,
          sparse: options.sparse ?? false,
        });
        requireImages(whole, catalog);
        const plan = takeShard(whole, shard, { isShared: true }, context);
        return pushPlan({ registry, harbor, journal, opened, path: prefix, shard, options, context }, plan);
      },
    );
  } finally {
    await registry.close();
  }
}

async function logIn(registry: Registry, options: PushOptions, { signal }: Context): Promise<Harbor | undefined> {
  await registry.ping(signal);
  const credential = await registry.login(signal);
  const harbor = options.harbor === false ? undefined : await recogniseHarbor(registry, credential, { signal });
  if (harbor !== undefined && credential.kind === 'anonymous') {
    throw new RegtarError('AUTH_FAILED', `${registry.host} is a Harbor, which takes pushes from known accounts only`, {
      hint: 'pass --username and --password-stdin, or `docker login` or `skopeo login` first',
    });
  }
  if (harbor !== undefined && options.sparse === true) {
    throw new RegtarError(
      'USAGE',
      `${registry.host} is a Harbor, which refuses an index of which a platform is missing, so --sparse has no place here`,
      {
        hint: 'leave it out: the index is then written anew with the platforms that you choose; --no-harbor tries all the same',
      },
    );
  }
  return harbor;
}

/** Beside SOURCE where that is one file or folder; shards that run side by side have one each. */
function openJournal(
  sources: readonly string[],
  registry: Registry,
  shard: Shard | undefined,
  options: PushOptions,
): PushJournal | undefined {
  if (options.dryRun === true) return undefined;
  const origin = registry.describe();
  if (options.state !== undefined) return openPushJournal(options.state, { origin, isNamed: true });
  const [source] = sources;
  return source === undefined || source === '-' || !isThere(source)
    ? undefined
    : openPushJournal(
        `${resolve(source)}.push-state${shard === undefined ? '' : `-${shard.index}-of-${shard.count}`}.json`,
        { origin, isNamed: false },
      );
}

interface Pushing {
  readonly registry: Registry;
  readonly harbor: Harbor | undefined;
  readonly journal: PushJournal | undefined;
  readonly opened: OpenedBackup;
  /** Beneath which every repository of the target is put; may be empty. */
  readonly path: string;
  readonly shard: Shard | undefined;
  readonly options: PushOptions;
  readonly context: Context;
}

async function pushPlan(
  { registry, harbor, journal, opened, path, shard, options, context }: Pushing,
  planned: Plan,
): Promise<number> {
  const { signal, output } = context;
  const jobs = jobsOf(options);
  const onExistingTag = options.onExistingTag ?? 'overwrite';
  const created = new Set<string>();
  let inspection: Inspection<PlannedImage> | undefined;
  if (harbor !== undefined) {
    registry.speak(
      harborDialect(
        registry,
        (project) => created.has(project) || (inspection?.projects.get(project)?.quota?.limit ?? -1) >= 0,
      ),
    );
  }
  inspection = await inspectRemote(registry, planned.images, {
    harbor,
    createProjects: options.createProjects !== false,
    storageLimit: options.storageLimit,
    onExistingTag,
    jobs,
    signal,
  });
  const { presence } = inspection;
  let plan = withRefusals(planned, inspection.refused);
  const estimate = estimatePush(planned.images, inspection, {
    onExistingTag,
    verify: options.verify === true,
    elsewhere: planned.elsewhere,
  });

  const stops = options.failFast === true && plan.refused.some(({ status }) => status === 'failed');
  if (harbor !== undefined && options.dryRun !== true && !stops) {
    const failures = await createProjects(
      registry,
      harbor,
      inspection.projectsToCreate,
      { isPublic: options.publicProjects, storageLimit: options.storageLimit },
      { parallel: jobs, signal },
    );
    for (const name of inspection.projectsToCreate) if (!failures.has(name)) created.add(name);
    if (created.size > 0)
      output.message(`created ${created.size === 1 ? 'project' : 'projects'} ${[...created].join(', ')}`);
    plan = withRefusals(
      plan,
      new Map(
        plan.images.flatMap((image) => {
          const error = failures.get(projectOf(image.target.repository));
          return error === undefined ? [] : [[image, error]];
        }),
      ),
    );
  }
  const sink = openRemoteSink(registry, {
    jobs,
    onExistingTag,
    heads: inspection.heads,
    present: planned.images.filter((image) => presence.get(image) === 'present').map(({ target }) => target),
    chunkBytes: options.chunkSize,
    elsewhere: plan.elsewhere,
    journalOf: journal && ((repository, blob) => journal.of(repository, blob)),
  });
  const extras: RunCopyExtras = {
    subject: {
      command: 'push',
      opened,
      target: {
        kind: 'registry',
        name: registry.host,
        ...(path !== '' && { path }),
        ...(harbor && { product: harbor.version === undefined ? 'Harbor' : `Harbor ${harbor.version}` }),
      },
      ...(shard && { shard }),
    },
    stateOf: (image) =>
      presence.get(image) === 'changed' && onExistingTag === 'skip' ? 'skipped' : (presence.get(image) ?? 'new'),
    planJson: {
      projects: [...inspection.projects.values()].map(({ name, state }) => ({ name, state })),
      projectsToCreate: inspection.projectsToCreate,
      estimate,
    },
    planLines: renderEstimate(estimate, inspection.projectsToCreate),
    ...(options.verify === true && { review: (report) => reviewReport(registry, plan, report, jobs, signal) }),
  };
  return runCopy(plan, opened.store, sink, { ...options, jobs }, context, extras);
}

function withRefusals(plan: Plan, refused: ReadonlyMap<PlannedImage, RegtarError>): Plan {
  if (refused.size === 0) return plan;
  return {
    ...plan,
    images: plan.images.filter((image) => !refused.has(image)),
    refused: [
      ...plan.refused,
      ...[...refused].map(([{ source }, error]) => ({ source, status: 'failed' as const, error, problems: [] })),
    ],
  };
}

async function reviewReport(
  registry: Registry,
  plan: Plan,
  report: CopyReport,
  jobs: number,
  signal: AbortSignal,
): Promise<CopyReport> {
  const keyOf = (image: {
    readonly repository: string;
    readonly tag: string | undefined;
    readonly digest: string | undefined;
  }): string => `${image.repository}\n${image.tag ?? image.digest ?? ''}`;
  const arrived = new Set(report.images.filter(({ status }) => status === 'copied' || status === 'present').map(keyOf));
  const wrong = await verifyRemote(
    registry,
    plan.images.filter(({ source }) => arrived.has(keyOf(source))),
    { jobs, signal },
  );
  const errors = new Map([...wrong].map(([{ source }, error]) => [keyOf(source), error]));
  return {
    ...report,
    images: report.images.map((result) => {
      const error = errors.get(keyOf(result));
      return error === undefined ? result : { ...result, status: 'failed', error };
    }),
  };
}

function jobsOf(options: PushOptions): number {
  return options.jobs ?? defaultJobs;
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
