/** What OCI layouts can hold, as folders and as archives. */
export const ociTraits = { schema1: false, indexes: true, artifacts: true } as const;
