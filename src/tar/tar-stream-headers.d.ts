/** The part of tar-stream that encodes a header block; its own types do not name it. */
declare module 'tar-stream/headers.js' {
  interface HeaderFields {
    readonly name: string;
    readonly type: 'file' | 'directory' | 'pax-header';
    readonly size: number;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly mtime: Date;
  }
  /** @returns null when the name needs a PAX record */
  export function encode(fields: HeaderFields): Buffer | null;
  export function encodePax(fields: { readonly name: string }): Buffer;
}
