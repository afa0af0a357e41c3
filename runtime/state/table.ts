import { isKind, RuntimeError } from '#base/errors'
import { createKeyedLock } from '#base/locks'
import type { RecordStore } from './record-store.ts'

/**
 * All objects of one kind: memory answers every read at once, every change is on disk before memory shows it.
 * Objects are immutable and replaced on change, so an object's identity tells whether it changed.
 */
export interface Table<T extends TableObject> {
  load(): Promise<void>
  get(id: string): T | undefined
  all(): readonly T[]
  /** By id or unique prefix. Errors: `not-found`; `invalid-argument` if several match. */
  resolve(idOrPrefix: string): T
  /** Like resolve, undefined when absent. */
  find(idOrPrefix: string): T | undefined
  /** The first write of an object is whole after power loss; what follows from it need not be. */
  insert(value: T): Promise<void>
  /** Computes the new value from the current one, writes it, then shows it; on an error nothing changed. */
  update(id: string, change: (current: T) => T, options?: UpdateOptions): Promise<T>
  /** Sets the stage, in memory only: it tells people what a running operation is doing. */
  setStage(id: string, stage: string): void
  remove(id: string): Promise<void>
  /**
   * Calls the listener after every change that memory shows, before anybody else sees it, in order; for as long as the
   * table lives. A listener waits for nothing and never throws.
   */
  observe(listener: (change: Change<T>) => void): void
}

/** Loaded or inserted: no `before`. Removed: no `after`. */
export interface Change<T> {
  readonly before: T | undefined
  readonly after: T | undefined
}

export interface TableObject {
  readonly id: string
  readonly stage: string
}

export interface UpdateOptions {
  /**
   * For ends and teardown, which make room: on a full disk the change counts although its record could not be
   * written. After a restart the older record leads recovery to the same end. Default false.
   */
  readonly mayOutrunDisk?: boolean
}

export function createTable<T extends TableObject>(what: string, store: RecordStore<T>): Table<T> {
  const { objects, show, observe } = createMemory<T>()
  const writes = createKeyedLock()

  function missing(id: string): RuntimeError {
    return new RuntimeError('not-found', `${what} "${id}" not found`)
  }

  function find(idOrPrefix: string): T | undefined {
    const exact = objects.get(idOrPrefix)
    if (exact ?? idOrPrefix === '') return exact
    const matches = [...objects.values()].filter(object => object.id.startsWith(idOrPrefix))
    if (matches.length > 1) {
      throw new RuntimeError(
        'invalid-argument',
        `${what} "${idOrPrefix}" is ambiguous, ${matches.length} ids begin so: give more of it`,
      )
    }
    return matches[0]
  }

  return {
    async load() {
      for (const object of (await store.load()).values()) show(object.id, object)
    },
    get: id => objects.get(id),
    all: () => [...objects.values()],
    find,
    resolve(idOrPrefix) {
      const object = find(idOrPrefix)
      if (!object) throw missing(idOrPrefix)
      return object
    },
    insert: value =>
      writes.run(value.id, async () => {
        if (objects.has(value.id)) throw new RuntimeError('already-exists', `${what} "${value.id}" exists`)
        await store.write(value.id, value)
        show(value.id, value)
      }),
    update: (id, change, options = {}) =>
      writes.run(id, async () => {
        const current = objects.get(id)
        if (!current) throw missing(id)
        const next = change(current)
        if (next === current) return current
        try {
          await store.write(id, next, 'process death')
        } catch (err) {
          if (!options.mayOutrunDisk || !isKind(err, 'resource-exhausted')) throw err
        }
        show(id, next)
        return next
      }),
    setStage(id, stage) {
      const current = objects.get(id)
      if (current) show(id, { ...current, stage })
    },
    remove: id =>
      writes.run(id, async () => {
        await store.remove(id)
        show(id, undefined)
      }),
    observe,
  }
}

/** What readers see, and the one place where it changes. */
interface Memory<T> {
  readonly objects: ReadonlyMap<string, T>
  readonly show: (id: string, after: T | undefined) => void
  readonly observe: (listener: (change: Change<T>) => void) => void
}

function createMemory<T>(): Memory<T> {
  const objects = new Map<string, T>()
  const listeners: ((change: Change<T>) => void)[] = []
  return {
    objects,
    show(id, after) {
      const before = objects.get(id)
      if (before === after) return
      if (after) objects.set(id, after)
      else objects.delete(id)
      for (const listener of listeners) listener({ before, after })
    },
    observe(listener) {
      listeners.push(listener)
    },
  }
}
