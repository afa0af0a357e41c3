import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WireMethod } from '../grpc/handler.ts'
import { imageMethods, runtimeMethods } from '../grpc/methods.ts'
import { grpcCode, maxDetailsBytes, type RpcStatus } from '../grpc/status.ts'
import { fuzzParameters } from '../grpc/testing/fuzz-parameters.ts'
import { type HostileTexts, hostileRequests } from '../grpc/testing/hostile-requests.ts'
import { type MessageSchema, requestSchemas } from '../grpc/testing/message-schema.ts'
import { type RpcName, rightRequests, type Subjects } from '../grpc/testing/right-requests.ts'
import { createImageService } from '../image-service/index.ts'
import { createRecordingLog } from '../testing/door-fixture.ts'
import { createFakeEngine } from '../testing/fake-engine.ts'
import { sampleContainerId, sampleImage, samplePodId } from '../testing/samples.ts'
import { createRuntimeService } from './index.ts'

const subjects: Subjects = {
  podId: samplePodId(1),
  containerId: sampleContainerId(1),
  image: 'registry.k8s.io/web:1',
  directory: '/var/log/pods',
  cgroupParent: '/kubepods',
  podName: 'web',
}

const hostileTexts: HostileTexts = {
  texts: [subjects.podId, subjects.containerId, subjects.image, '../../etc/passwd', '/proc/self/exe', '/'],
  only: {},
}

async function allMethods(): Promise<readonly WireMethod[]> {
  const engine = createFakeEngine()
  const log = createRecordingLog()
  engine.images.set(sampleImage(1, [subjects.image]).id, sampleImage(1, [subjects.image]))
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
      fuzzParameters(runs),
    )
  })
}

const rpcNames = Object.keys({ ...runtimeMethods, ...imageMethods }) as RpcName[]

function requestsOf(name: RpcName, schemas: ReadonlyMap<string, MessageSchema>): fc.Arbitrary<Uint8Array> {
  const schema = schemas.get(name)
  assert.ok(schema, name)
  return hostileRequests(schema, salt => rightRequests(subjects, salt)[name], hostileTexts)
}

/** The pod and the container that requests are about, made in the way clients do. */
async function prepared(): Promise<ReadonlyMap<string, WireMethod>> {
  const methods = new Map((await allMethods()).map(method => [method.name, method]))
  for (const name of ['RunPodSandbox', 'CreateContainer', 'StartContainer'] as const) {
    const method = methods.get(name)
    assert.ok(method)
    assert.equal(await failureOf(method, rightRequests(subjects, '0')[name]), undefined, name)
  }
  return methods
}

for (const name of rpcNames) {
  test(`${name}: what a request is broken by is said in a few words`, async () => {
    const [methods, schemas] = await Promise.all([prepared(), requestSchemas()])
    const method = methods.get(name)
    assert.ok(method)
    await fc.assert(
      fc.asyncProperty(requestsOf(name, schemas), async request => {
        const failure = await failureOf(method, request)
        if (!failure) return
        assert.notEqual(failure.code, grpcCode.internal, failure.details)
        assert.notEqual(failure.code, grpcCode.unknown, failure.details)
        assert.notEqual(failure.details, '')
        assert.ok(Buffer.byteLength(failure.details) <= maxDetailsBytes, failure.details)
        assert.doesNotMatch(failure.details, /\n\s+at |\.js:\d/)
      }),
      fuzzParameters(100),
    )
  })
}
