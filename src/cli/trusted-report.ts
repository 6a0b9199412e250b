import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { RegtarError, systemErrorCode, systemReason } from '../errors.ts';
import { readReport, type KeepOfImage } from '../report/read-report.ts';
import type { Report, ReportApproval } from '../report/report.ts';
import type { Context } from './context.ts';
import { readWholeFile } from './selection.ts';

/** A report with who signed its file; undefined where that was not asked for. */
export interface TrustedReport {
  readonly report: Report;
  readonly approval: ReportApproval | undefined;
}

/**
 * Reads a report, and with `keys` (`--require-signature`) only when one of them signed its file.
 * @param keep what is needed of each image. @defaultValue all of it
 * @throws RegtarError REPORT_INVALID, SIGNATURE_INVALID, USAGE
 */
export async function readTrustedReport(
  path: string,
  keys: string | undefined,
  context: Pick<Context, 'output' | 'signal'>,
  keep?: KeepOfImage,
): Promise<TrustedReport> {
  if (keys === undefined)
    return { report: readReport(await readWholeFile(path, context), path, keep), approval: undefined };
  if (path === '-')
    throw new RegtarError('USAGE', 'the signature of a report lies beside its file, but this is standard input', {
      hint: 'name the file',
    });
  const [{ requireSignature, signaturePath }, keyFile, file] = await Promise.all([
    import('../report/signature/require-signature.ts'),
    readNamed(keys, 'USAGE'),
    readNamed(path, 'USAGE'),
  ]);
  // The bytes that were signed are the bytes that are read: the file is not opened a second time.
  const signature = await readNamed(signaturePath(path, keyFile), 'SIGNATURE_INVALID');
  const signer = requireSignature(file, signature, keyFile);
  return {
    report: readReport(file.bytes, path, keep),
    approval: { report: basename(path), ...signer },
  };
}

async function readNamed(
  path: string,
  code: 'USAGE' | 'SIGNATURE_INVALID',
): Promise<{ path: string; bytes: Uint8Array }> {
  try {
    return { path, bytes: await readFile(path) };
  } catch (cause) {
    const isMissing = systemErrorCode(cause) === 'ENOENT';
    throw new RegtarError(
      code,
      isMissing ? `${path} does not exist` : `${path} cannot be read: ${systemReason(cause)}`,
      {
        where: { path },
        cause,
        hint:
          code === 'USAGE'
            ? 'name a file that exists'
            : 'sign the report with `ssh-keygen -Y sign -f KEY -n file REPORT`, or with `minisign -Sm REPORT`',
      },
    );
  }
}
