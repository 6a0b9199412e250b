import { homedir } from 'node:os';
import { RegtarError } from '../../errors.ts';
import { listRepositories } from '../../remote/lists.ts';
import { openRegistry, type Registry } from '../../remote/registry.ts';
import { parseTarget } from '../../remote/target.ts';
import { createRenamer } from '../../select/names.ts';
import { createPlan } from '../../select/plan.ts';
import { openRemoteSink, type OnExistingTag } from '../../sink/remote.ts';
import type { Context } from '../context.ts';
import { readCredentials, type CredentialOptions } from '../credentials.ts';
import { withBackup } from '../open-backup.ts';
import { splitOperands } from '../operands.ts';
import { defaultJobs, runCopy, type CopyCommandOptions } from '../run-copy.ts';
import { readSelection, type SelectionOptions } from '../selection.ts';

export interface PushOptions extends SelectionOptions, CopyCommandOptions, CredentialOptions {
  readonly untagged?: boolean;
  readonly referrers?: boolean;
  readonly sparse?: boolean;
  readonly project?: string;
  readonly map?: readonly string[];
  readonly onExistingTag?: OnExistingTag;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly certDir?: string;
  readonly insecure?: boolean;
  readonly plainHttp?: boolean;
  readonly retryTimes?: number;
  readonly retryDelay?: number;
  readonly stallTimeout?: number;
}

/** `regtar push [SOURCE] TARGET` */
export async function push(operands: readonly string[], options: PushOptions, context: Context): Promise<number> {
  const { sources, operand } = splitOperands(operands, options, 'TARGET');
  const target = parseTarget(operand);
  const selection = await readSelection(options);
  const rename = createRenamer({ maps: options.map, project: options.project, prefix: target.path === '' ? undefined : target.path });
  const jobs = options.jobs ?? defaultJobs;
  const registry = await openRegistry({
    host: target.host,
    scheme: options.plainHttp === true ? 'http' : target.scheme,
    credentials: await readCredentials(target.host, options),
    tls: { caFile: options.caFile, certFile: options.certFile, keyFile: options.keyFile, certDir: options.certDir, insecure: options.insecure, env: process.env, home: homedir() },
    env: process.env,
    retry: { ...(options.retryTimes !== undefined && { times: options.retryTimes }), ...(options.retryDelay !== undefined && { delaySeconds: options.retryDelay }) },
    stallTimeoutSeconds: options.stallTimeout,
    connections: jobs,
    userAgent: `regtar/${context.version}`,
    onWarning: (text) => context.output.message(`${target.host} warns: ${text}`),
    signal: context.signal,
  });
  try {
    if (options.insecure === true) context.output.message(`regtar: certificates of ${target.host} are not verified (--insecure)`);
    // Before the backup is read: a mistyped password must not cost the scan of a terabyte.
    await registry.ping(context.signal);
    await registry.login(context.signal);
    return await withBackup(sources, options, context, async ({ catalog, store }) => {
      const known = await knownRepositories(registry, context.signal);
      const sink = openRemoteSink(registry, { jobs, onExistingTag: options.onExistingTag, isFresh: (repository) => known !== undefined && !known.has(repository) });
      const plan = createPlan(catalog, store, { ...selection, rename, traits: sink.traits, untagged: options.untagged ?? false, referrers: options.referrers ?? true, sparse: options.sparse ?? false });
      return runCopy(plan, store, sink, options, context);
    });
  } finally {
    await registry.close();
  }
}

/** What the registry has already, where it tells quickly: a repository that is not there need not be asked about tags and blobs. */
async function knownRepositories(registry: Registry, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
  const patience = AbortSignal.timeout(catalogMilliseconds);
  try {
    const names = await listRepositories(registry, { signal: AbortSignal.any([signal, patience]) });
    return names === undefined ? undefined : new Set(names);
  } catch (error) {
    signal.throwIfAborted();
    // Without the list every tag is asked for by itself: slower, never wrong.
    if (patience.aborted || error instanceof RegtarError) return undefined;
    throw error;
  }
}

const catalogMilliseconds = 5000;
