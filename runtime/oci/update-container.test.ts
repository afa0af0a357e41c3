import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import type { Programs } from '#base/programs'
import { updateContainer } from './update-container.ts'

const log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log }
const ctx = { signal: new AbortController().signal, log }

function nothing(): void {
  return undefined
}

/** Programs that fail, and say this. */
function failing(stderr: string): Programs {
  return {
    run: () =>
      Promise.resolve({
        exitCode: 1,
        signal: undefined,
        stdout: Buffer.alloc(0),
        stderr: Buffer.from(stderr),
      }),
  }
}

const time = 'time="2024-01-01T00:00:00Z"'
const reasons: readonly (readonly [string, string])[] = [
  [
    `${time} level=warning msg="Setting back cgroup configs failed"\n${time} level=error msg="failed to write \\"199\\": invalid argument"\n`,
    'failed to write "199": invalid argument',
  ],
  ['container does not exist\n', 'container does not exist'],
  ['', ''],
  [`${'x'.repeat(2000)}\n${'y'.repeat(2000)}`, 'y'.repeat(500)],
]

for (const [stderr, reason] of reasons) {
  test(`of "${stderr.slice(0, 20)}..." the error of the OCI runtime is what is said`, async () => {
    const input = { id: 'c1', runtimePath: '/bin/oci', runtimeRoot: '/run/oci', timeoutMs: 1000 }
    await assert.rejects(
      updateContainer(ctx, failing(stderr), {
        ...input,
        hasSystemdCgroup: false,
        resources: { devices: [] },
      }),
      (err: unknown) =>
        isKind(err, 'failed-precondition') && err.message === `/bin/oci update failed: ${reason}`,
    )
  })
}
