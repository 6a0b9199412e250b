import type { ImageResult } from '../../copy/events.ts';

/** What became of one image, as reports and events say it. */
export function resultJson({
  repository,
  tag,
  digest,
  target,
  status,
  error,
  untried,
}: ImageResult): Record<string, unknown> {
  return {
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
    ...(target !== undefined && { target }),
    status,
    ...(untried === true && { untried }),
    ...(error !== undefined && {
      error: { code: error.code, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) },
    }),
  };
}
