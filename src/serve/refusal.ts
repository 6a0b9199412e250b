import { answerBytes, type RegistryAnswer, type RegistryRequest } from './request.ts';

/** Codes of a registry's errors. @see OCI distribution-spec v1.1, "Error Codes"; distribution, registry/api/errcode */
export type RefusalCode =
  | 'BLOB_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'PAGINATION_NUMBER_INVALID'
  | 'RANGE_INVALID'
  | 'TOOMANYREQUESTS'
  | 'UNAUTHORIZED'
  | 'UNAVAILABLE'
  | 'UNSUPPORTED';

const statuses: Readonly<Record<RefusalCode, number>> = {
  BLOB_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNAVAILABLE: 503,
  UNSUPPORTED: 405,
};

/**
 * An error in the form that clients of registries read.
 * @param message for people; nothing that the client sent is repeated in it
 * @see OCI distribution-spec v1.1, "Error Codes"
 */
export function refuse(
  request: RegistryRequest,
  code: RefusalCode,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): RegistryAnswer {
  return answerBytes(
    request,
    statuses[code],
    { 'Content-Type': 'application/json', ...headers },
    Buffer.from(JSON.stringify({ errors: [{ code, message }] })),
  );
}
