/** `export --json` and `push --json`. */
export interface CopyReport {
  readonly images: readonly {
    readonly repository: string;
    readonly tag?: string;
    readonly digest?: string;
    readonly target?: string;
    readonly status: 'copied' | 'present' | 'skipped' | 'failed' | 'planned';
    readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  }[];
  readonly blobs: {
    readonly copied: number;
    readonly present: number;
    readonly mounted: number;
    readonly bytes: number;
  };
  readonly seconds: number;
}

/** `list --json`, one element. */
export interface Listed {
  readonly repository: string;
  readonly tag?: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
}

/** `repository:tag`, or `repository@digest`. */
export function nameOf({
  repository,
  tag,
  digest,
}: {
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}): string {
  return tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`;
}
