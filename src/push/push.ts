import type { RegtarError } from '../errors.ts';
import type { ContentStore, ImageTarget } from '../content/contracts.ts';
import { copyImages } from '../copy/copy-images.ts';
import type { CopyEvent, CopyReport } from '../copy/events.ts';
import { resultWith } from '../copy/image-outcome.ts';
import { harborDialect } from '../harbor/dialect.ts';
import { projectOf } from '../harbor/name-rules.ts';
import { createProjects, type NewProjectPlace } from '../harbor/preflight.ts';
import type { Harbor } from '../harbor/recognise-harbor.ts';
import { imageKey } from '../oci/reference.ts';
import type { Registry } from '../remote/registry.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';
import { withoutFallbackTags } from './fallback-tags.ts';
import { estimatePush, type Estimate } from './estimate.ts';
import { inspectRemote, type Inspection } from './inspect-target.ts';
import { defaultPushJobs, logIn, type PushLogin } from './login.ts';
import type { OnExistingTag } from './presence.ts';
import { verifyRemote, type ReadBackOptions } from './read-back.ts';
import { describeRemote, openRemoteSink } from './sink.ts';
import { withRefusals } from './with-refusals.ts';
import { prepareTransfer, type TransferChoice } from './transfer.ts';

/** What happens to projects that a Harbor does not have. */
export interface NewProjects {
  /** @defaultValue true */
  readonly create?: boolean | undefined;
  /** @defaultValue false */
  readonly isPublic?: boolean | undefined;
  /** Bytes, -1 for none; respected from administrators. @defaultValue the server's own */
  readonly storageLimit?: number | undefined;
}

/** How a plan is pushed, beside the plan. What concerns the connection is the registry's own. */
export interface PreparePushOptions extends TransferChoice {
  /**
   * What the plan's images are made of, so that configs which Harbor cannot read are found before the first byte.
   * @defaultValue they are not looked at, and Harbor answers 500
   */
  readonly store?: ContentStore | undefined;
  /** What `logIn` found. @defaultValue it is called here */
  readonly login?: PushLogin | undefined;
  /** Images under way at once. @defaultValue 8 */
  readonly jobs?: number | undefined;
  /** @defaultValue `overwrite`, as `docker push` does */
  readonly onExistingTag?: OnExistingTag | undefined;
  readonly projects?: NewProjects | undefined;
  /** Whether what arrived is read back at the end. @defaultValue false */
  readonly verify?: boolean | undefined;
  /** Push `sha256-<hex>` indexes of referrers also where the target lists referrers itself. @defaultValue false */
  readonly keepFallbackTags?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Who follows a push, and when it ends early. */
export interface RunPushOptions {
  /** Stop at the first image that fails. @defaultValue false */
  readonly failFast?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: CopyEvent) => void) | undefined;
  /** Projects that were created, before the first image. */
  readonly onProjects?: ((names: readonly string[]) => void) | undefined;
}

/** A push that has been checked against its target, and has written nothing yet. */
export interface PreparedPush {
  readonly harbor: Harbor | undefined;
  /** What travels; images that the target would refuse are among `refused`, with the reason. */
  readonly plan: Plan;
  /** What was found in the target. */
  readonly inspection: Inspection<PlannedImage>;
  readonly estimate: Estimate;
  /** What a person should know before it begins. */
  readonly notices: readonly string[];
  /** The place of an image in the target, for people. */
  describe(target: ImageTarget): string;
  /** `new`, `changed`, `present`, or `skipped` where another image keeps the tag. */
  stateOf(image: PlannedImage): string;
  /**
   * Creates missing projects, sends what is missing, and reads it back where that was asked for. An image that fails is
   * in the report.
   * @throws RegtarError when the target as a whole failed
   */
  run(store: ContentStore, options?: RunPushOptions): Promise<CopyReport>;
  /** What a person should know of how it went. */
  notes(): readonly string[];
}

/**
 * Checks a plan against a registry: login, projects, tags, rules and room. Writes nothing until `run`.
 * @param given made with the traits that `logIn` gives, or with `remoteTraits`
 * @throws RegtarError when the target as a whole cannot be asked
 */
export async function preparePush(
  registry: Registry,
  given: Plan,
  options: PreparePushOptions = {},
): Promise<PreparedPush> {
  const { jobs = defaultPushJobs, onExistingTag = 'overwrite', projects = {}, verify = false } = options;
  const signal = options.signal ?? new AbortController().signal;
  const { harbor } = options.login ?? (await logIn(registry, { jobs, signal }));
  const limited = new Set<string>();
  if (harbor !== undefined) registry.speak(harborDialect(registry, (project) => limited.has(project)));
  const planned =
    options.keepFallbackTags === true ? given : await withoutFallbackTags(registry, given, { harbor, signal });
  const inspection = await inspectRemote(registry, planned.images, {
    harbor,
    createProjects: projects.create !== false,
    storageLimit: projects.storageLimit,
    onExistingTag,
    distrust: options.repair,
    store: options.store,
    jobs,
    signal,
  });
  for (const { name, quota } of inspection.projects.values())
    if (quota !== undefined && quota.limit >= 0) limited.add(name);
  const { presence } = inspection;
  const writes = (image: PlannedImage): boolean =>
    options.repair === true ||
    presence.get(image) === 'new' ||
    (presence.get(image) === 'changed' && onExistingTag !== 'skip');
  const checked = withRefusals(planned, inspection.refused);
  const transfer = await prepareTransfer(registry, checked, checked.images.filter(writes), {
    ...options,
    harbor,
    heads: inspection.heads,
    jobs,
    signal,
  });
  const { plan } = transfer;
  const estimate = estimatePush(planned.images, inspection, {
    onExistingTag,
    verify,
    elsewhere: planned.elsewhere,
    sendsBlobs: transfer.sendsBlobs,
  });
  return {
    harbor,
    plan,
    inspection,
    estimate: { ...estimate, ...transfer.estimate },
    notices: [...limitNotices(registry, inspection, projects), ...transfer.notices],
    describe: (target) => describeRemote(registry, target),
    stateOf: (image) =>
      presence.get(image) === 'changed' && onExistingTag === 'skip' ? 'skipped' : (presence.get(image) ?? 'new'),
    notes: () => transfer.notes(),
    async run(store, run = {}) {
      const stops = run.failFast === true && plan.refused.some(({ status }) => status === 'failed');
      const created =
        harbor === undefined || stops
          ? { names: [], failures: new Map<string, RegtarError>() }
          : await bringProjects(registry, inspection.newProjects, { ...projects, jobs, signal });
      for (const name of created.names) limited.add(name);
      if (created.names.length > 0) run.onProjects?.(created.names);
      const possible = withRefusals(plan, refusalsOf(plan, created.failures));
      const sink = openRemoteSink(registry, {
        jobs,
        onExistingTag,
        heads: inspection.heads,
        present: planned.images.filter((image) => presence.get(image) === 'present').map(({ target }) => target),
        hasProjects: harbor !== undefined,
        ...transfer.sinkOptions,
      });
      transfer.begin();
      const followed = { jobs, signal: run.signal ?? signal, onEvent: run.onEvent };
      const copied = await copyImages(possible, store, sink, {
        ...followed,
        failFast: run.failFast === true,
        first: possible.images.find((image) => image === transfer.first),
      });
      const report = await transfer.review(possible, copied, (result) =>
        run.onEvent?.({ type: 'image', result, isRevised: true }),
      );
      return verify ? readBack(registry, possible, report, { ...followed, numbers: store.numbers }) : report;
    },
  };
}

/** Harbor takes a limit from everybody, and respects an administrator's alone. */
function limitNotices(
  { host }: Registry,
  { newProjects, projects }: Inspection<PlannedImage>,
  { storageLimit }: NewProjects,
): readonly string[] {
  const names = newProjects.map(({ name }) => name).filter((name) => projects.get(name)?.account.account !== 'admin');
  return storageLimit === undefined || names.length === 0
    ? []
    : [
        `the storage limit is not used for ${names.join(', ')}: ${host} takes one from administrators only; new ` +
          'projects get its default',
      ];
}

async function bringProjects(
  registry: Registry,
  places: readonly NewProjectPlace[],
  { isPublic, storageLimit, jobs, signal }: NewProjects & { readonly jobs: number; readonly signal: AbortSignal },
): Promise<{ readonly names: readonly string[]; readonly failures: ReadonlyMap<string, RegtarError> }> {
  const failures = await createProjects(registry, places, { isPublic, storageLimit }, { parallel: jobs, signal });
  return { names: places.map(({ name }) => name).filter((name) => !failures.has(name)), failures };
}

function refusalsOf(plan: Plan, failures: ReadonlyMap<string, RegtarError>): ReadonlyMap<PlannedImage, RegtarError> {
  return new Map(
    plan.images.flatMap((image) => {
      const error = failures.get(projectOf(image.target.repository));
      return error === undefined ? [] : [[image, error] as const];
    }),
  );
}

/** The report with what reading back found wrong; each such image is told once more. */
async function readBack(
  registry: Registry,
  plan: Plan,
  report: CopyReport,
  { onEvent, ...options }: ReadBackOptions & Pick<RunPushOptions, 'onEvent'>,
): Promise<CopyReport> {
  const arrived = new Set(
    report.images.filter(({ status }) => status === 'copied' || status === 'present').map(imageKey),
  );
  const wrong = await verifyRemote(
    registry,
    plan.images.filter(({ source }) => arrived.has(imageKey(source))),
    options,
  );
  const errors = new Map([...wrong].map(([{ source }, error]) => [imageKey(source), error]));
  return {
    ...report,
    images: report.images.map((result) => {
      const error = errors.get(imageKey(result));
      if (error === undefined) return result;
      const revised = resultWith(result, { status: 'failed' as const, error });
      onEvent?.({ type: 'image', result: revised, isRevised: true });
      return revised;
    }),
  };
}
