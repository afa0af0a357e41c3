/** Many may be inside at once, or one alone (CNI spec, section 3, Lifecycle: GC excludes ADD and DEL). */
export interface Gate {
  shared<T>(work: () => Promise<T>): Promise<T>
  /** Waits for those inside; who comes later waits for it. */
  alone<T>(work: () => Promise<T>): Promise<T>
}

export function createGate(): Gate {
  const inside = new Set<Promise<unknown>>()
  let closed: Promise<unknown> | undefined

  return {
    async shared(work) {
      while (closed) await closed
      const mine = work()
      const settled = mine.catch(() => undefined)
      inside.add(settled)
      try {
        return await mine
      } finally {
        inside.delete(settled)
      }
    },
    async alone(work) {
      while (closed) await closed
      const mine = Promise.all(inside).then(work)
      const settled = mine.catch(() => undefined)
      closed = settled
      try {
        return await mine
      } finally {
        closed = undefined
      }
    },
  }
}
