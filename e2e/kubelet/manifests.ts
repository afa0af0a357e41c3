import type { V1Container, V1Pod } from '@kubernetes/client-node'
import { sleeper } from '../harness/configs.ts'

/** What one writes down where the client has a class. */
export type Plain<T> = T extends Date ? Date : T extends object ? { [Key in keyof T]: Plain<T[Key]> } : T

export type Container = Plain<V1Container>
export type Pod = Plain<V1Pod>
export type PodSpec = NonNullable<Pod['spec']>

/** Ways to write pods down shortly. */
export interface Manifests {
  /** A container that by default sleeps until it gets SIGTERM. */
  container(name: string, overrides?: Partial<Container>): Container
  /** With one container, unless others are given, that is stopped within a second. */
  pod(name: string, spec?: Partial<PodSpec>, labels?: Readonly<Record<string, string>>): Pod
}

export function createManifests(image: string): Manifests {
  const container: Manifests['container'] = (name, overrides = {}) => ({
    name,
    image,
    command: shell(sleeper),
    ...overrides,
  })
  return {
    container,
    pod: (name, spec = {}, labels = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { ...labels } },
      spec: { containers: [container('main')], terminationGracePeriodSeconds: 1, ...spec },
    }),
  }
}

export function shell(line: string): string[] {
  return ['/bin/sh', '-c', line]
}
