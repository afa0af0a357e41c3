import { RuntimeError } from '#base/errors'
import type { ContainerConfig } from '../../model/container.ts'

const annotationPrefix = 'cdi.k8s.io/'
const limits = { devices: 1024 } as const

const kind = /^[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?\/[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?$/
const device = /^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$/

/** `vendor/class` (CDI SPEC.md, Kind). */
export function isKind(text: string): boolean {
  return kind.test(text)
}

export function isDeviceName(text: string): boolean {
  return device.test(text)
}

/**
 * Full names (`vendor/class=name`) of the CDI devices of a container, each once: those of its field, then those of
 * its `cdi.k8s.io/` annotations (comma separated), then `added`. Errors: `invalid-argument` names the text.
 */
export function requestedDevices(
  config: Pick<ContainerConfig, 'cdiDevices' | 'annotations'>,
  added: readonly string[] = [],
): readonly string[] {
  const annotated = Object.entries(config.annotations)
    .filter(([key]) => key.startsWith(annotationPrefix))
    .flatMap(([, value]) => value.split(','))
  const names = [...new Set([...config.cdiDevices, ...annotated, ...added])]
  if (names.length > limits.devices) {
    throw new RuntimeError('invalid-argument', `more than ${limits.devices} CDI devices`)
  }
  for (const name of names) {
    const [before, after, ...rest] = name.split('=')
    if (
      before !== undefined &&
      after !== undefined &&
      rest.length === 0 &&
      isKind(before) &&
      isDeviceName(after)
    )
      continue
    throw new RuntimeError('invalid-argument', `CDI device "${name}" is not of the form VENDOR/CLASS=NAME`)
  }
  return names
}
