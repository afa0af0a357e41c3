/** Versions of the CNI specification, oldest first. */
export const supportedVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const

export type CniVersion = (typeof supportedVersions)[number]

export function isAtLeast(version: CniVersion, other: CniVersion): boolean {
  return supportedVersions.indexOf(version) >= supportedVersions.indexOf(other)
}

/** Known versions among `texts`, each once, oldest first. */
export function knownVersions(texts: readonly string[]): readonly CniVersion[] {
  return supportedVersions.filter(known => texts.includes(known))
}
