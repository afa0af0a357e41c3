import { RuntimeError } from '#base/errors'

/** Names that are taken: a pod's metadata, or a container's within its pod. One name, one living object. */
export interface Names {
  /** Errors: `already-exists`, naming the holder and what `describe` says of it. */
  reserve(name: string, id: string): void
  release(name: string, id: string): void
  holder(name: string): string | undefined
}

export function createNames(what: string, describe: (id: string) => string): Names {
  const holders = new Map<string, string>()
  return {
    reserve(name, id) {
      const holder = holders.get(name)
      if (holder !== undefined && holder !== id) {
        throw new RuntimeError(
          'already-exists',
          `${what} name "${name}" is reserved for "${holder}" (${describe(holder)}): remove that one first`,
        )
      }
      holders.set(name, id)
    },
    release(name, id) {
      if (holders.get(name) === id) holders.delete(name)
    },
    holder: name => holders.get(name),
  }
}
