/** Platform of an image or a machine (OCI image index, platform). */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant: string
}

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loong64',
  mips64el: 'mips64le',
}

/** What this machine runs, in OCI terms. */
export function machinePlatform(): Platform {
  const architecture = architectures[process.arch] ?? process.arch
  // Node itself needs ARMv7.
  return { os: 'linux', architecture, variant: architecture === 'arm' ? 'v7' : '' }
}

/**
 * How well an image for `candidate` suits `machine`: 0 not at all, more is better. A variant that asks for more
 * than every machine of the architecture has (amd64/v3) is not taken on trust.
 */
export function platformScore(machine: Platform, candidate: Platform): number {
  if (candidate.os !== machine.os || candidate.architecture !== machine.architecture) return 0
  if (candidate.variant === machine.variant) return 100
  const level = variantLevel(candidate.variant)
  if (machine.architecture === 'arm') {
    const own = variantLevel(machine.variant)
    return level <= own ? 1 + level : 0
  }
  const baseline = machine.architecture === 'arm64' ? 8 : 1
  return candidate.variant === '' || level === baseline ? 50 : 0
}

export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform
  return variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

/** "v7" is 7; arm without a variant is v7 by convention of the image index. */
function variantLevel(variant: string): number {
  if (variant === '') return 7
  const match = /^v([0-9]{1,2})(?:\.[0-9]+)?$/.exec(variant)
  return match ? Number(match[1]) : Number.POSITIVE_INFINITY
}
