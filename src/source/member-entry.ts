import type { Member } from '../tar/scan.ts';
import type { Entry } from './backup.ts';

/**
 * What a scan says of a member as an entry. The scan fills the same member again and again, so one entry passes on
 * what that holds.
 */
export function entryOf(member: Member, place: { readonly copy: number | undefined }): Entry {
  return {
    get path() {
      return member.path;
    },
    get pathBytes() {
      return member.pathEnd > 0 ? member : undefined;
    },
    get kind() {
      return member.kind;
    },
    get target() {
      return member.target;
    },
    get modified() {
      return member.modified;
    },
    get location() {
      const { size, start, runs } = member;
      if (runs !== undefined) return { size, start, runs };
      return place.copy === undefined ? { size, start } : { size, start, copy: place.copy };
    },
    get bytes() {
      return member.bytes;
    },
    get text() {
      return member.text;
    },
  };
}
