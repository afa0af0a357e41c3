/** Many share, one excludes all others; whoever came first goes first, so that neither kind starves. */
export interface Gate {
  shared<T>(work: () => Promise<T>): Promise<T>
  exclusive<T>(work: () => Promise<T>): Promise<T>
}

export function createGate(): Gate {
  const sharing = new Set<Promise<unknown>>()
  /** Settles when the last exclusive work that was asked for has ended. */
  let excluded: Promise<unknown> = Promise.resolve()

  return {
    async shared(work) {
      const before = excluded
      const mine = before.then(work)
      const settled = mine.catch(() => undefined)
      sharing.add(settled)
      try {
        return await mine
      } finally {
        sharing.delete(settled)
      }
    },
    async exclusive(work) {
      const before = [excluded, ...sharing]
      const mine = Promise.all(before).then(work)
      excluded = mine.catch(() => undefined)
      return mine
    },
  }
}
