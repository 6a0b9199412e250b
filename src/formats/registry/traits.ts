/** What a registry's storage holds: everything that was in one. */
export const registryTraits = { schema1: true, indexes: true, artifacts: true } as const;
