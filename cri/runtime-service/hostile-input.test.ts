import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WireMethod } from '../grpc/handler.ts'
import { grpcCode, type RpcStatus } from '../grpc/status.ts'
import { createImageService } from '../image-service/index.ts'
import { createRecordingLog } from '../testing/door-fixture.ts'
import { createFakeEngine } from '../testing/fake-engine.ts'
import { createRuntimeService } from './index.ts'

async function allMethods(): Promise<readonly WireMethod[]> {
  const engine = createFakeEngine()
  const log = createRecordingLog()
  engine.finishStart()
  await engine.start({ signal: new AbortController().signal, log })
  const gate = { log, isReady: () => true }
  const deps = {
    engine: engine.as('k8s.io'),
    streaming: { urlFor: () => Promise.resolve('http://127.0.0.1:1/exec/x') },
    version: '0',
    config: { stateDir: '/run/lighter', rootDir: '/var/lib/lighter' },
  }
  return [createRuntimeService(gate, deps), createImageService(gate, deps)].flatMap(
    service => service.methods,
  )
}

/** How the call fails, if it does. An endless stream is left as soon as it has begun. */
async function failureOf(method: WireMethod, request: Uint8Array): Promise<RpcStatus | undefined> {
  const caller = new AbortController()
  if (method.kind === 'unary') {
    const outcome = await method.call(caller.signal, request)
    return 'failure' in outcome ? outcome.failure : undefined
  }
  return method.run(caller.signal, request, {
    open() {
      setImmediate(() => {
        caller.abort()
      })
    },
    send: () => Promise.resolve(),
  })
}

/** Length-delimited fields in each other, with odd numbers in between: more of a message than random bytes are. */
const messageBytes = fc.letrec<{ field: Uint8Array; message: Uint8Array }>(tie => ({
  field: fc.oneof(
    { depthSize: 'small' },
    fc.tuple(fc.integer({ min: 1, max: 20 }), fc.uint8Array({ maxLength: 12 })).map(delimited),
    fc
      .tuple(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 0, max: 127 }))
      .map(([field, value]) => Uint8Array.of(field << 3, value)),
    fc.tuple(fc.integer({ min: 1, max: 20 }), tie('message')).map(delimited),
  ),
  message: fc.array(tie('field'), { maxLength: 5 }).map(parts => Buffer.concat(parts)),
}))

function delimited([field, bytes]: readonly [number, Uint8Array]): Uint8Array {
  const body = bytes.subarray(0, 127)
  const tag = (field << 3) | 2
  const head = tag < 128 ? [tag] : [(tag & 127) | 128, tag >> 7]
  return Uint8Array.of(...head, body.length, ...body)
}

for (const { name, bytes, runs } of [
  { name: 'random bytes', bytes: fc.uint8Array({ maxLength: 200 }), runs: 40 },
  { name: 'messages of random fields', bytes: messageBytes.message, runs: 150 },
]) {
  test(`${name} never make an RPC fail in a way that nobody thought of`, async () => {
    const methods = await allMethods()
    await fc.assert(
      fc.asyncProperty(bytes, async request => {
        for (const method of methods) {
          assert.notEqual((await failureOf(method, request))?.code, grpcCode.internal, method.name)
        }
      }),
      { numRuns: runs },
    )
  })
}
