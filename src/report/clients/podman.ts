import { authorityFile, type ClientFile, type ClientSetup } from './setup.ts';

/** A drop-in for podman, skopeo, buildah and CRI-O. @see containers-registries.conf(5), containers-certs.d(5) */
export function podmanFiles({ registry, mirrors }: ClientSetup): readonly ClientFile[] {
  const insecure = registry.scheme === 'http' ? ['insecure = true'] : [];
  const lines = ['[[registry]]', `location = ${JSON.stringify(registry.host)}`, ...insecure];
  for (const { from, path } of mirrors) {
    if (from === registry.host) continue;
    const location = path === undefined || path === '' ? registry.host : `${registry.host}/${path}`;
    lines.push(
      '',
      '[[registry]]',
      `prefix = ${JSON.stringify(from)}`,
      `location = ${JSON.stringify(location)}`,
      ...insecure,
    );
  }
  return [
    { path: '/etc/containers/registries.conf.d/50-regtar.conf', text: `${lines.join('\n')}\n` },
    ...authorityFile(registry, `/etc/containers/certs.d/${registry.host}/ca.crt`),
  ];
}
