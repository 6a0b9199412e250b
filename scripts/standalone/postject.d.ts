declare module 'postject' {
  /** Puts bytes into an executable, where Node looks for them. */
  export function inject(
    executable: string,
    resource: string,
    bytes: Buffer,
    options: { readonly sentinelFuse: string },
  ): Promise<void>;
}
