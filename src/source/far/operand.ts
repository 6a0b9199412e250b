/** Whether an operand names bytes on a server. */
export function isFarOperand(operand: string): boolean {
  return /^(?:https?|s3):\/\//i.test(operand);
}

/** An operand as it may be shown and written: user info, query and fragment of an address may be secrets. */
export function describeOperand(operand: string): string {
  if (!isFarOperand(operand)) return operand;
  if (!URL.canParse(operand)) return operand.replace(/[?#].*$/s, '').replace(/\/\/[^/]*@/, '//');
  const { protocol, host, pathname } = new URL(operand);
  return `${protocol}//${host}${pathname}`;
}
