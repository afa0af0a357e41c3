import type { RecordStore } from '../state/record-store.ts'

/** Records in memory, with what was written for tests to look at; `failNext` makes the next write fail. */
export interface MemoryRecords<T> extends RecordStore<T> {
  readonly written: Map<string, T>
  failNext(error: Error): void
}

export function createMemoryRecords<T extends { readonly id: string }>(
  initial: readonly T[] = [],
): MemoryRecords<T> {
  const written = new Map(initial.map(value => [value.id, value]))
  let failure: Error | undefined
  return {
    written,
    failNext(error) {
      failure = error
    },
    load: () => Promise.resolve(new Map(written)),
    write(id, value) {
      const error = failure
      failure = undefined
      if (error) return Promise.reject(error)
      written.set(id, value)
      return Promise.resolve()
    },
    remove(id) {
      written.delete(id)
      return Promise.resolve()
    },
  }
}
