import { authorityFile, type ClientFile, type ClientSetup, type Mirror } from './setup.ts';

/** A drop-in for podman, skopeo, buildah and CRI-O. @see containers-registries.conf(5), containers-certs.d(5) */
export function podmanFiles({ registry, mirrors }: ClientSetup): readonly ClientFile[] {
  const insecure = registry.scheme === 'http' ? ['insecure = true'] : [];
  const lines = ['[[registry]]', `location = ${JSON.stringify(registry.host)}`, ...insecure];
  for (const mirror of mirrors)
    for (const [prefix, location] of placesOf(mirror, registry.host))
      lines.push(
        '',
        '[[registry]]',
        `prefix = ${JSON.stringify(prefix)}`,
        `location = ${JSON.stringify(location)}`,
        ...insecure,
      );
  return [
    { path: '/etc/containers/registries.conf.d/50-regtar.conf', text: `${lines.join('\n')}\n` },
    ...authorityFile(registry, `/etc/containers/certs.d/${registry.host}/ca.crt`),
  ];
}

/** The longest prefix counts, so a repository below another one keeps its own place. */
function placesOf({ from, path, renamed = [] }: Mirror, host: string): readonly (readonly [string, string])[] {
  if (renamed.length > 0) return renamed.map((each) => [`${from}/${each.from}`, `${host}/${each.to}`]);
  if (from === host) return [];
  return [[from, path === undefined || path === '' ? host : `${host}/${path}`]];
}
