import { afterAll, expect } from 'vitest';

/** A warning of Node's means a leak or something that will break; users would see it, and `--events jsonl` could not be parsed. */
const warnings: string[] = [];

process.on('warning', ({ name, message, stack }) => void warnings.push(`${name}: ${message}\n${stack ?? ''}`));

afterAll(() => expect(warnings.splice(0)).toEqual([]));
