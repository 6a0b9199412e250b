import { codeFacts, type Problem } from '../errors.ts';

/**
 * Whether a problem makes `regtar verify` end with 4. What was deleted on purpose, or some targets refuse, harms no
 * image.
 */
export function isDamage(problem: Problem): boolean {
  return codeFacts[problem.code].harm !== 'none';
}
