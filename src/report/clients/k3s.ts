import { authorityFile, type ClientFile, type ClientSetup } from './setup.ts';

const folder = '/etc/rancher/k3s';

/** `registries.yaml`, which k3s and RKE2 read when they start. @see k3s, docs, "Private Registry Configuration" */
export function k3sFiles({ registry, mirrors }: ClientSetup): readonly ClientFile[] {
  const url = `${registry.scheme}://${registry.host}`;
  const authority = `${folder}/${registry.host.replaceAll(/[^A-Za-z0-9.-]/g, '-')}.crt`;
  const lines = ['mirrors:', ...mirrorLines(registry.host, url, '')];
  for (const { from, path } of mirrors) if (from !== registry.host) lines.push(...mirrorLines(from, url, path ?? ''));
  if (registry.authority !== undefined)
    lines.push(
      'configs:',
      `  ${JSON.stringify(registry.host)}:`,
      '    tls:',
      `      ca_file: ${JSON.stringify(authority)}`,
    );
  return [{ path: `${folder}/registries.yaml`, text: `${lines.join('\n')}\n` }, ...authorityFile(registry, authority)];
}

function mirrorLines(from: string, url: string, path: string): readonly string[] {
  return [
    `  ${JSON.stringify(from)}:`,
    '    endpoint:',
    `      - ${JSON.stringify(url)}`,
    ...(path === '' ? [] : ['    rewrite:', `      "^(.*)$": ${JSON.stringify(`${path}/$1`)}`]),
  ];
}
