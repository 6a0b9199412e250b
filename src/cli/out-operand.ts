import { isatty } from 'node:tty';
import { RegtarError } from '../errors.ts';
import type { Format } from '../formats/formats.ts';

/** What skopeo and podman call places, and what stands for it here. */
const transports: Readonly<Record<string, Format | 'push' | 'load'>> = {
  'dir:': 'dir',
  'oci:': 'oci',
  'oci-archive:': 'oci',
  'docker-archive:': 'docker-archive',
  'docker://': 'push',
  'docker-daemon:': 'load',
  'containers-storage:': 'load',
};

const compressed = /\.(?:tgz|tzst|tar\.(?:gz|zst|xz|bz2|lz4))$/i;

/**
 * Refuses an OUT that means something to other programs and would become a file of an odd name here.
 * @throws RegtarError USAGE
 */
export function refuseOddOut(out: string): void {
  const transport = Object.keys(transports).find((each) => out.startsWith(each));
  if (transport !== undefined)
    throw usage(`OUT is a path, and ${out} names a transport of skopeo`, insteadOf(out, transport));
  const ending = compressed.exec(out)?.[0];
  if (ending !== undefined)
    throw usage(
      `OUT ends in ${ending}, but regtar does not compress archives`,
      'layers are compressed already; if you need it, write to - and pipe it through gzip or zstd',
    );
  if (out === '-' && isatty(1))
    throw usage(
      'OUT is standard output, which is a terminal, but an archive is binary',
      'redirect it into a file or a pipe',
    );
}

function insteadOf(out: string, transport: string): string {
  const meaning = transports[transport] ?? 'oci';
  const rest = out.slice(transport.length);
  if (meaning === 'push') return `write \`regtar push SOURCE ${rest}\``;
  if (meaning === 'load') return 'write `regtar load SOURCE`';
  const path = transport === 'dir:' ? rest : (rest.split(':')[0] ?? rest);
  return `write \`regtar export SOURCE ${path} --format ${meaning}\`; tags stay as they are in SOURCE`;
}

function usage(message: string, hint: string): RegtarError {
  return new RegtarError('USAGE', message, { hint });
}
