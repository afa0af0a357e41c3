import type { ContainerFilter, Engine } from '#engine/engine'
import type { Container } from '#engine/model/container'
import type { Pod } from '#engine/model/pod'

/** The objects that figures are about, for their names and labels; one that has gone meanwhile is not there. */
export function containersById(engine: Engine, filter: ContainerFilter): ReadonlyMap<string, Container> {
  return new Map(engine.containers.list(filter).map(container => [container.id, container]))
}

export function podsById(engine: Engine): ReadonlyMap<string, Pod> {
  return new Map(engine.pods.list({}).map(pod => [pod.id, pod]))
}
