/** Programs that pull images and have a file that leads them to another registry. */
export type ContainerClient = 'containerd' | 'k3s' | 'podman' | 'docker';

/** The registry that clients are to ask. */
export interface ClientRegistry {
  /** `host:port`, as it stands in the names of images. */
  readonly host: string;
  readonly scheme: 'http' | 'https';
  /** The certificate of an authority that clients do not know yet, PEM. */
  readonly authority?: string | undefined;
}

/** Names that lead into the registry: `docker.io/library/alpine` is `HOST/PATH/library/alpine` there. */
export interface Mirror {
  /** The registry in the names of images: `docker.io`, `registry.example.com:5000`. */
  readonly from: string;
  /** What the registry puts before the repository; empty or undefined for nothing. */
  readonly path?: string | undefined;
  /** Every repository by name, where no path says what became of all of them; then `path` does not count. */
  readonly renamed?: readonly RenamedRepository[] | undefined;
}

/** A repository that has another name in the registry. */
export interface RenamedRepository {
  readonly from: string;
  readonly to: string;
}

/** What a client has to know. */
export interface ClientSetup {
  readonly registry: ClientRegistry;
  /** Further registries that the same one stands for. */
  readonly mirrors: readonly Mirror[];
}

/** A file on the machine of a client. */
export interface ClientFile {
  /** Where the client looks for it. */
  readonly path: string;
  readonly text: string;
}

/** The authority's certificate, where the registry has one of its own. */
export function authorityFile({ authority }: ClientRegistry, path: string): readonly ClientFile[] {
  return authority === undefined ? [] : [{ path, text: authority.trimEnd() + '\n' }];
}
