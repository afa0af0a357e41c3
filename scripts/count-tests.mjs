// A reporter for node:test: counts what the spec reporter prints, one JSON line for scripts/test.sh.
// Under CI a skipped test is a failure unless its reason says that this machine cannot run it.
const mayBeSkipped = /^machine cannot:/

export default async function* countTests(source) {
  const count = { passed: 0, failed: 0, skipped: 0, notes: [] }
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite') continue
    if (type === 'test:fail') {
      count.failed++
    } else if (data.skip === undefined && data.todo === undefined) {
      count.passed++
    } else {
      const reason = String(data.skip ?? data.todo)
      const isFailure = process.env.CI === 'true' && !mayBeSkipped.test(reason)
      if (isFailure) count.failed++
      else count.skipped++
      count.notes.push(`${isFailure ? 'not allowed: ' : ''}skipped "${data.name}": ${reason}`)
    }
  }
  yield `${JSON.stringify(count)}\n`
}
