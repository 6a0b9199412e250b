import { authorityFile, type ClientFile, type ClientSetup, type Mirror } from './setup.ts';

const folder = '/etc/rancher/k3s';

/** `registries.yaml`, which k3s and RKE2 read when they start. @see k3s, docs, "Private Registry Configuration" */
export function k3sFiles({ registry, mirrors }: ClientSetup): readonly ClientFile[] {
  const url = `${registry.scheme}://${registry.host}`;
  const authority = `${folder}/${registry.host.replaceAll(/[^A-Za-z0-9.-]/g, '-')}.crt`;
  const lines = ['mirrors:', ...mirrorLines({ from: registry.host }, url)];
  for (const mirror of mirrors) if (mirror.from !== registry.host) lines.push(...mirrorLines(mirror, url));
  if (registry.authority !== undefined)
    lines.push(
      'configs:',
      `  ${JSON.stringify(registry.host)}:`,
      '    tls:',
      `      ca_file: ${JSON.stringify(authority)}`,
    );
  return [{ path: `${folder}/registries.yaml`, text: `${lines.join('\n')}\n` }, ...authorityFile(registry, authority)];
}

function mirrorLines({ from, path = '', renamed = [] }: Mirror, url: string): readonly string[] {
  // Patterns are tried in no documented order, so none may match what is another one's.
  const rewrites: readonly [string, string][] =
    renamed.length > 0
      ? renamed.map((each) => [`^${each.from.replaceAll('.', '\\.')}$`, each.to])
      : path === ''
        ? []
        : [['^(.*)$', `${path}/$1`]];
  return [
    `  ${JSON.stringify(from)}:`,
    '    endpoint:',
    `      - ${JSON.stringify(url)}`,
    ...(rewrites.length === 0 ? [] : ['    rewrite:']),
    ...rewrites.map(([pattern, to]) => `      ${JSON.stringify(pattern)}: ${JSON.stringify(to)}`),
  ];
}
