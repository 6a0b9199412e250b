/** What trees of dir images can hold. */
export const dirTraits = { schema1: true, indexes: true, artifacts: true } as const;
