/**
 * Every helper that starts a program asks this of what it wrote: a warning of Node's means a leak or something that will break.
 * @throws Error with the first warning
 */
export function requireNoWarnings(command: string, stderr: string): void {
  const warning = /^\(node:\d+\) \[?\w*(?:Warning|DEP\d+).*$/m.exec(stderr)?.[0];
  if (warning !== undefined) throw new Error(`${command} warned: ${warning}`);
}
