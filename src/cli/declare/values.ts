import { InvalidArgumentError } from 'commander';
import type { Split } from '../../formats/options.ts';
import type { VolumeRange } from '../volume-export.ts';
import type { ShardChoice } from '../shard.ts';

/**
 * Collects the values of a repeatable option. Its identity tells completions, manual and settings that an option may be
 * repeated.
 */
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

/** `2`, or `2-3`. */
export function volumeRange(value: string): VolumeRange {
  const match = /^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/.exec(value);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last < first)
    throw new InvalidArgumentError('the number of a volume, such as 2, or a range such as 2-3 was expected.');
  return { first, last };
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

/** From 1 to 9999. @throws InvalidArgumentError for anything else */
export function wholeNumber(value: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(value)) throw new InvalidArgumentError('a whole number from 1 to 9999 was expected.');
  return Number(value);
}

/** From 0 to 999. @throws InvalidArgumentError for anything else */
export function wholeNumberFrom0(value: string): number {
  if (!/^[0-9]{1,3}$/.test(value)) throw new InvalidArgumentError('a whole number was expected.');
  return Number(value);
}

/**
 * Seconds after which something is given up: none at all would give up at once.
 * @throws InvalidArgumentError for anything else
 */
export function patience(value: string): number {
  const number = seconds(value);
  if (number === 0) throw new InvalidArgumentError('more than 0 seconds were expected; a day is 86400.');
  return number;
}

/** Seconds, fractions allowed. @throws InvalidArgumentError for anything else */
export function seconds(value: string): number {
  if (!/^[0-9]+(?:\.[0-9]+)?$/.test(value)) throw new InvalidArgumentError('a number of seconds was expected.');
  return Number(value);
}

const unitSeconds: Readonly<Record<string, number>> = { h: 3600, d: 86_400, w: 604_800 };

/** The first second that `--since` takes: local midnight of a day, a moment, or so long ago. In seconds since 1970. */
export function firstMoment(value: string): number {
  return readMoment(value).first;
}

/** The first second that `--until` no longer takes: a day counts to its end. In seconds since 1970. */
export function momentAfter(value: string): number {
  return readMoment(value).after;
}

/** `2026-11-01`, `2026-11-01T12:30`, the same with `Z` or an offset, `14d`, `36h`, `2w`. */
function readMoment(value: string): { readonly first: number; readonly after: number } {
  const ago = /^([1-9][0-9]{0,4})([hdw])$/.exec(value);
  if (ago !== null) {
    const moment = Math.floor(Date.now() / 1000) - Number(ago[1]) * (unitSeconds[ago[2] ?? 'd'] ?? 0);
    return { first: moment, after: moment };
  }
  const day = /^(\d{4})-(\d{2})-(\d{2})$/.exec(value);
  if (day !== null) {
    const [year, month, date] = day.slice(1).map(Number) as [number, number, number];
    const start = new Date(year, month - 1, date);
    if (start.getMonth() === month - 1 && start.getDate() === date)
      return { first: seconds1970(start), after: seconds1970(new Date(year, month - 1, date + 1)) };
  }
  const isMoment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?$/.test(value);
  const moment = isMoment ? seconds1970(new Date(value)) : Number.NaN;
  if (Number.isNaN(moment))
    throw new InvalidArgumentError(
      'a day such as 2026-11-01, a moment such as 2026-11-01T12:30, or 14d, 36h, 2w was expected.',
    );
  return { first: moment, after: moment };
}

function seconds1970(date: Date): number {
  return date.getTime() / 1000;
}

/** What `--require-signature` takes, for every command that has it. */
export const requireSignatureHelp =
  'trust the report only when one of these keys signed it: an allowed_signers file of ssh-keygen, or public ' +
  'keys of minisign';
