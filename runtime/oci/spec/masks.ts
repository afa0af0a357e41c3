import type { ContainerSecurity } from '../../model/container.ts'

/** Paths hidden from and write-protected in a container: exactly the lists given, none when privileged. */
export function containerMasks(security: ContainerSecurity): {
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
} {
  if (security.isPrivileged) return { maskedPaths: [], readonlyPaths: [] }
  return { maskedPaths: security.maskedPaths, readonlyPaths: security.readonlyPaths }
}
