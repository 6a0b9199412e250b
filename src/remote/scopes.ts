/** What a token must allow for a push. @see distribution, docs/spec/auth/scope.md */
export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`;
}

/** What a token must allow for reading. */
export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}
