import { RegtarError, type Problem } from '../errors.ts';
import type { Backup, Entry, Location } from './backup.ts';

/**
 * Several backups as one store: a base and its deltas, the runs of oc-mirror, a bundle beside a registry's storage.
 * They are visited in the order given, oldest first, so that what comes later decides what a tag means; each place says
 * which backup it is in.
 * @see docs/storage.md, several sources as one store
 */
export function openSeveral(backups: readonly Backup[]): Backup {
  const of = (location: Location): Backup => {
    const backup = backups[location.source ?? 0];
    if (backup === undefined) throw new RegtarError('INTERNAL', 'a place of another backup was asked for');
    return backup;
  };
  const formats = new Set(backups.map(({ format }) => format));
  const sizes = backups.map(({ bytes }) => bytes);
  return {
    describe: describeAll(backups.map(({ describe }) => describe)),
    format: [...formats].join('+'),
    bytes: sizes.reduce((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size), 0),
    async scan(visit, options = {}) {
      const problems: Problem[] = [];
      let done = 0;
      for (const [source, backup] of backups.entries()) {
        const before = done;
        const damage = await backup.scan((entry) => visit(withSource(entry, source)), {
          ...options,
          onProgress: (bytes) => options.onProgress?.(before + bytes),
        });
        problems.push(...damage.map((problem) => ({ ...problem, message: `${backup.describe}: ${problem.message}` })));
        done += backup.bytes ?? 0;
      }
      return problems;
    },
    read: (location, from, ring) => of(location).read(location, from, ring),
    ...(backups.some(({ bring }) => bring !== undefined) && {
      async bring(locations: Iterable<Location>) {
        const all = [...locations];
        for (const [source, backup] of backups.entries())
          await backup.bring?.(all.filter((location) => (location.source ?? 0) === source));
      },
    }),
    readSmall: (location) => of(location).readSmall(location),
    file: (location) => of(location).file(location),
    ranges: (location) => of(location).ranges?.(location),
    far: (location) => of(location).far?.(location),
    isFar: backups.some(({ isFar }) => isFar === true),
    object: (location) => of(location).object?.(location),
    ...(backups.some(({ spool }) => spool !== undefined) && {
      spool: {
        digestOf: (location: Location) => of(location).spool?.digestOf(location),
        async keepOnly(isNeeded: (location: Location) => boolean) {
          for (const [source, { spool }] of backups.entries())
            await spool?.keepOnly((location) => isNeeded({ ...location, source }));
        },
        removeSync: () => backups.forEach(({ spool }) => spool?.removeSync()),
      },
    }),
    changed: () => backups.some((backup) => backup.changed?.() === true),
    nameOf: (source) => backups[source]?.describe,
    async close() {
      await Promise.all(backups.map((backup) => backup.close()));
    },
  };
}

const namesShown = 3;

function describeAll(names: readonly string[]): string {
  const more = names.length - namesShown;
  return more > 1 ? `${names.slice(0, namesShown).join(' + ')} and ${more} more` : names.join(' + ');
}

/** Entries ask for sizes and contents only where they are needed, so the fields are passed on, not copied. */
function withSource(entry: Entry, source: number): Entry {
  return {
    path: entry.path,
    kind: entry.kind,
    target: entry.target,
    get modified() {
      return entry.modified;
    },
    get location() {
      return { ...entry.location, source };
    },
    get bytes() {
      return entry.bytes;
    },
  };
}
