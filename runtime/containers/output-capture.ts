/** The beginning of a stream. */
export interface OutputCapture {
  add(data: Uint8Array): void
  /** What was kept so far. */
  bytes(): Buffer
}

const firstBytes = 4096

/** Keeps the first `limit` bytes, in one piece of at most twice their size, and forgets the rest. */
export function createCapture(limit: number): OutputCapture {
  let kept = Buffer.alloc(0)
  let size = 0
  return {
    add(data) {
      const piece = data.subarray(0, limit - size)
      if (piece.length === 0) return
      if (kept.length < size + piece.length) {
        const grown = Buffer.allocUnsafe(Math.min(limit, Math.max(firstBytes, 2 * (size + piece.length))))
        grown.set(kept.subarray(0, size))
        kept = grown
      }
      kept.set(piece, size)
      size += piece.length
    },
    bytes: () => kept.subarray(0, size),
  }
}
