import { containerdFiles } from './containerd.ts';
import { dockerFiles } from './docker.ts';
import { k3sFiles } from './k3s.ts';
import { podmanFiles } from './podman.ts';
import type { ContainerClient, ClientFile, ClientSetup } from './setup.ts';

const writers: Readonly<Record<ContainerClient, (setup: ClientSetup) => readonly ClientFile[]>> = {
  containerd: containerdFiles,
  k3s: k3sFiles,
  podman: podmanFiles,
  docker: dockerFiles,
};

/**
 * What lies where on the machine of a client, so that it pulls from a registry: its settings first, then certificates.
 * @throws RegtarError USAGE for what the client's format cannot say
 */
export function clientFiles(client: ContainerClient, setup: ClientSetup): readonly ClientFile[] {
  return writers[client](setup);
}
