import { describe, expect, it } from 'vitest';
import { codeFacts, RegtarError, type ErrorCode } from '../src/errors.ts';

const codes = Object.keys(codeFacts) as ErrorCode[];

describe('the table of codes', () => {
  it('gives an error the side of its code, unless the place that throws knows better', () => {
    expect(new RegtarError('BLOB_MISSING', 'gone').side).toBe('source');
    expect(new RegtarError('BLOB_MISSING', 'gone', { side: 'target' }).side).toBe('target');
  });

  it('never ends a run for what may pass', () => {
    expect(codes.filter((code) => codeFacts[code].again && codeFacts[code].ends !== 'image')).toEqual([]);
  });

  it('never calls damage what an output cannot hold', () => {
    expect(codes.filter((code) => codeFacts[code].skips === true && codeFacts[code].harm !== 'none')).toEqual([]);
  });

  it('blames wrong use for no damage but a name that no registry takes', () => {
    const harmful = codes.filter((code) => codeFacts[code].side === 'usage' && codeFacts[code].harm !== 'none');
    expect(harmful).toEqual(['TAG_MAP_UNKNOWN', 'REPOSITORY_INVALID']);
  });
});
