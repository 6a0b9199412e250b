import { InvalidArgumentError } from 'commander';
import type { Split } from '../../formats/options.ts';
import type { ShardChoice } from '../shard.ts';

/** Collects the values of a repeatable option. Its identity tells completions, manual and settings that an option may be repeated. */
export function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

/** `image`, `repository` or a size. */
export function splitBy(value: string): Split {
  if (value === 'image' || value === 'repository') return value;
  const bytes = parseBytes(value);
  if (bytes === undefined)
    throw new InvalidArgumentError('image, repository or a size such as 700MB or 4GB was expected.');
  return { bytes };
}

/** A size in bytes: `700MB`, `4GiB`. */
export function byteSize(value: string): number {
  const bytes = parseBytes(value);
  if (bytes === undefined) throw new InvalidArgumentError('a size such as 700MB or 4GiB was expected.');
  return bytes;
}

/** A size in bytes, or -1 for none. */
export function byteLimit(value: string): number {
  return value === '-1' ? -1 : byteSize(value);
}

function parseBytes(value: string): number | undefined {
  const match = /^([1-9][0-9]*(?:\.[0-9]+)?) ?(k|M|G|T)i?B?$/.exec(value);
  if (match === null) return undefined;
  const base = value.includes('i') ? 1024 : 1000;
  return Math.floor(Number(match[1]) * base ** ('kMGT'.indexOf(match[2] ?? 'k') + 1));
}

/** `uid:gid` as numbers. */
export function ownerIds(value: string): { uid: number; gid: number } {
  const match = /^([0-9]{1,9}):([0-9]{1,9})$/.exec(value);
  if (match === null) throw new InvalidArgumentError('two numbers such as 10000:10000 were expected.');
  return { uid: Number(match[1]), gid: Number(match[2]) };
}

/** `2/8`, or `8` where the environment knows which of them this is. */
export function shardOf(value: string): ShardChoice {
  const match = /^(?:([1-9][0-9]{0,3})\/)?([1-9][0-9]{0,3})$/.exec(value);
  const index = match?.[1] === undefined ? undefined : Number(match[1]);
  const count = Number(match?.[2]);
  if (match === null || (index ?? 1) > count)
    throw new InvalidArgumentError(
      'a part of the whole such as 1/8, 2/8, ... 8/8 was expected, or 8 in a Kubernetes Indexed Job.',
    );
  return { index, count };
}

export function wholeNumber(value: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(value)) throw new InvalidArgumentError('a whole number from 1 to 9999 was expected.');
  return Number(value);
}

export function wholeNumberFrom0(value: string): number {
  if (!/^[0-9]{1,3}$/.test(value)) throw new InvalidArgumentError('a whole number was expected.');
  return Number(value);
}

export function seconds(value: string): number {
  if (!/^[0-9]+(?:\.[0-9]+)?$/.test(value)) throw new InvalidArgumentError('a number of seconds was expected.');
  return Number(value);
}
