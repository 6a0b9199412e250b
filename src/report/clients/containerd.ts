import { refuseRenamed } from './refuse-renamed.ts';
import { authorityFile, type ClientFile, type ClientSetup, type Mirror } from './setup.ts';

const folder = '/etc/containerd/certs.d';

/**
 * A `hosts.toml` for each name that leads to the registry. No other registry is asked: behind a gap the other one is
 * not there.
 * @throws RegtarError USAGE for repositories that were renamed one by one
 * @see containerd, docs/hosts.md
 */
export function containerdFiles({ registry, mirrors }: ClientSetup): readonly ClientFile[] {
  for (const { from, renamed } of mirrors) refuseRenamed('containerd', from, renamed);
  const authority = `${folder}/${registry.host}/ca.crt`;
  const ca = registry.authority === undefined ? undefined : authority;
  const names: readonly Mirror[] = [{ from: registry.host }, ...mirrors.filter(({ from }) => from !== registry.host)];
  return [
    ...names.map(({ from, path }) => ({
      path: `${folder}/${from}/hosts.toml`,
      text: hostsToml(`${registry.scheme}://${registry.host}`, path ?? '', ca),
    })),
    ...authorityFile(registry, authority),
  ];
}

function hostsToml(url: string, path: string, ca: string | undefined): string {
  const server = path === '' ? url : `${url}/v2/${path}`;
  const trust = ca === undefined ? [] : [`ca = ${JSON.stringify(ca)}`];
  const place = path === '' ? [] : ['override_path = true'];
  return [
    `server = ${JSON.stringify(server)}`,
    ...trust,
    ...place,
    '',
    `[host.${JSON.stringify(server)}]`,
    ...['capabilities = ["pull", "resolve"]', ...trust, ...place].map((line) => `  ${line}`),
    '',
  ].join('\n');
}
