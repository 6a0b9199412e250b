/** Bytes that are an object of an S3 server, or a part of one: what such a server can copy without us. */
export interface StoredObject {
  /** The same text for all buckets of one server. */
  readonly server: string;
  readonly bucket: string;
  readonly key: string;
  /** With quotes, of the version that is meant; undefined where it is not known. */
  readonly etag: string | undefined;
  /** Size of the whole object in bytes. */
  readonly objectBytes: number;
  /** Of the part, in bytes: 0 and `objectBytes` for all of it. */
  readonly start: number;
  readonly size: number;
}
