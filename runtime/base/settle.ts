/**
 * Waits until all are settled, then throws the first failure: unlike Promise.all nothing goes on behind the back
 * of the undo steps that follow.
 */
export async function settleAll<Promises extends readonly Promise<unknown>[]>(
  promises: readonly [...Promises],
): Promise<{ -readonly [Index in keyof Promises]: Awaited<Promises[Index]> }> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
