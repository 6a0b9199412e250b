import { RegtarError } from '../errors.ts';

/** @see OCI image-spec v1.1 image-index.md, "platform" */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
}

/** `linux/arm/v7`, `linux/amd64`. */
export function formatPlatform(platform: Platform): string {
  const base = `${platform.os}/${platform.architecture}`;
  return platform.variant === undefined || platform.variant === '' ? base : `${base}/${platform.variant}`;
}

/** @throws RegtarError USAGE when the text is not `os/arch` or `os/arch/variant` */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  if (!os || !architecture || variant === '' || rest.length > 0) {
    throw new RegtarError('USAGE', `"${text}" is not a platform`, {
      hint: 'platforms look like linux/amd64 or linux/arm/v7',
    });
  }
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

/**
 * Whether an image of platform `actual` is what a request for `wanted` means: a variant counts only when both
 * name one; arm64 is arm64/v8.
 */
export function platformMatches(wanted: Platform, actual: Platform): boolean {
  if (wanted.os !== actual.os || wanted.architecture !== actual.architecture) return false;
  const actualVariant = normalVariant(actual);
  const wantedVariant = normalVariant(wanted);
  return wantedVariant === undefined || actualVariant === undefined || wantedVariant === actualVariant;
}

/** The platform of this process in the words of images: Node says x64 where images say amd64. */
export function hostPlatform(): Platform {
  const architectures: Readonly<Record<string, string>> = {
    x64: 'amd64',
    ia32: '386',
    arm64: 'arm64',
    arm: 'arm',
    ppc64: 'ppc64le',
    s390x: 's390x',
    riscv64: 'riscv64',
    loong64: 'loong64',
  };
  return { os: 'linux', architecture: architectures[process.arch] ?? process.arch };
}

/** Attestations and other entries that no machine runs. @see BuildKit, attestation storage */
export function isUnknownPlatform(platform: Platform | undefined): boolean {
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}

function normalVariant(platform: Platform): string | undefined {
  if (platform.architecture === 'arm64' && (platform.variant === undefined || platform.variant === '')) return 'v8';
  return platform.variant === '' ? undefined : platform.variant;
}
