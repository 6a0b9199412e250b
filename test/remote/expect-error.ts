import { expect } from 'vitest';
import { RegtarError } from '../../src/errors.ts';

/** The RegtarError that a promise ends with; anything else fails the test. */
export async function errorOf(promise: Promise<unknown>): Promise<RegtarError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (error instanceof RegtarError) return error;
    throw error;
  }
  return expect.fail(`it should have failed, and gave ${JSON.stringify(value)}`);
}
