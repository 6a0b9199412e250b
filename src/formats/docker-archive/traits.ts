/** What docker-archives can hold: runnable images of one platform. */
export const dockerArchiveTraits = { schema1: false, indexes: false, artifacts: false } as const;
