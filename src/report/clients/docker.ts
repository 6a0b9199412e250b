import { RegtarError } from '../../errors.ts';
import { refuseRenamed } from './refuse-renamed.ts';
import { authorityFile, type ClientFile, type ClientSetup } from './setup.ts';

/**
 * `daemon.json`. Docker has mirrors of docker.io alone, and none below a path.
 * @throws RegtarError USAGE for what docker has no setting for
 * @see docker, docs, "dockerd", "Daemon configuration file"
 */
export function dockerFiles({ registry, mirrors }: ClientSetup): readonly ClientFile[] {
  for (const { from, path, renamed } of mirrors) {
    refuseRenamed('docker', from, renamed);
    if (from !== 'docker.io' || (path !== undefined && path !== ''))
      throw new RegtarError(
        'USAGE',
        `docker has no setting for a mirror of ${from}${path === undefined || path === '' ? '' : ` below ${path}`}`,
        { side: 'usage', hint: 'docker knows mirrors of docker.io only; containerd, k3s and podman know others' },
      );
  }
  const settings = {
    ...(registry.scheme === 'http' && { 'insecure-registries': [registry.host] }),
    ...(mirrors.length > 0 && { 'registry-mirrors': [`${registry.scheme}://${registry.host}`] }),
  };
  return [
    { path: '/etc/docker/daemon.json', text: `${JSON.stringify(settings, undefined, 2)}\n` },
    ...authorityFile(registry, `/etc/docker/certs.d/${registry.host}/ca.crt`),
  ];
}
