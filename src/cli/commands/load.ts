import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RegtarError } from '../../errors.ts';
import { createRenamer } from '../../select/rename.ts';
import { engineAddress, openEngineSink } from '../../load/engine.ts';
import type { Context } from '../context.ts';
import { withBackup } from '../open-backup.ts';
import { sourceOperands } from '../operands.ts';
import { runCopy, sinkJob, type CopyCommandOptions } from '../run-copy.ts';
import { planSelection, readSelection, type SelectionOptions } from '../selection.ts';

/** Options of `regtar load`. */
export interface LoadOptions extends SelectionOptions, CopyCommandOptions {
  readonly socket?: string;
  readonly prefix?: string;
  readonly project?: string;
  readonly map?: readonly string[];
}

/** `regtar load [SOURCE…]`: straight into a running engine. */
export async function load(operands: readonly string[], options: LoadOptions, context: Context): Promise<number> {
  const selection = await readSelection(options, context);
  const rename = createRenamer({ maps: options.map, project: options.project });
  const host = options.socket ?? process.env['DOCKER_HOST'] ?? findSocket();
  const certPath = process.env['DOCKER_TLS_VERIFY'] ? process.env['DOCKER_CERT_PATH'] : undefined;
  // Before the backup is read: a certificate that is missing must not cost the scan of a terabyte.
  engineAddress({ host, certPath });
  return withBackup(sourceOperands(operands, options), options, context, async (opened) => {
    const sink = await openEngineSink({
      host,
      prefix: options.prefix,
      signal: context.signal,
      certPath,
    });
    const { untagged = false, map: maps } = options;
    const plan = await planSelection(selection, opened, { rename, maps }, { traits: sink.traits, untagged }, context);
    return runCopy(sinkJob(plan, opened.store, sink, options), options, context);
  });
}

function findSocket(): string {
  const runtime = process.env['XDG_RUNTIME_DIR'];
  const places = [
    '/var/run/docker.sock',
    ...(runtime ? [join(runtime, 'docker.sock'), join(runtime, 'podman/podman.sock')] : []),
    '/run/podman/podman.sock',
  ];
  const found = places.find((path) => existsSync(path));
  if (found !== undefined) return `unix://${found}`;
  throw new RegtarError('ENGINE_UNREACHABLE', 'neither docker nor podman was found', {
    side: 'usage',
    hint: `looked for ${places.join(', ')}; name its socket with --socket or DOCKER_HOST`,
  });
}
