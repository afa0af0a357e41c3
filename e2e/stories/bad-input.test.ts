import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import { imageMethods, runtimeMethods } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'
import { podConfig } from '../harness/configs.ts'
import { createDaemon } from '../harness/daemon.ts'
import { fails } from '../harness/expect.ts'
import { useWorld } from '../harness/world.ts'

const story = useWorld()
const unknown = 'e'.repeat(64)

test(
  'unknown ids: not found where the kubelet wants it, success for stop and remove, empty lists',
  story(async ({ cri }) => {
    await fails(cri.podStatus(unknown), 'notFound', /e{64}/)
    await fails(cri.containerStatus(unknown), 'notFound', /e{64}/)
    await fails(cri.exec(unknown, ['true']), 'notFound', /e{64}/)
    await fails(cri.reopenLog(unknown), 'notFound', /e{64}/)
    await fails(cri.startContainer(unknown), 'notFound', /e{64}/)
    await fails(cri.client.call(runtimeMethods.ContainerStats, { containerId: unknown }), 'notFound', /e{64}/)
    await cri.stopPod(unknown)
    await cri.removePod(unknown)
    await cri.stopContainer(unknown, 0)
    await cri.removeContainer(unknown)
    await cri.removeImage('registry.k8s.io/e2e/absent:1')
    const image = await cri.client.call(imageMethods.ImageStatus, {
      image: { image: 'registry.k8s.io/e2e/absent:1' },
    })
    assert.equal(image.image ?? null, null)
    const { items } = await cri.client.call(runtimeMethods.ListPodSandbox, { filter: { id: unknown } })
    const { containers } = await cri.client.call(runtimeMethods.ListContainers, { filter: { id: unknown } })
    assert.deepEqual([items.length, containers.length], [0, 0])
  }),
)

test(
  'a prefix of an id is enough when only one object has it; an empty id is refused',
  story(async s => {
    const pod = await s.runPod()
    assert.equal((await s.cri.podStatus(pod.id.slice(0, 13))).id, pod.id)
    await fails(s.cri.podStatus(''), 'invalidArgument', /id/)
    await fails(s.cri.containerStatus(''), 'invalidArgument', /id/)
  }),
)

for (const reference of [
  '',
  'UPPER/Case:tag',
  'name@sha256:zz',
  'http://host/name',
  'name:tag:tag',
  `h/${'x'.repeat(300)}`,
]) {
  test(
    `the malformed reference "${reference.slice(0, 40)}" is refused`,
    story(async ({ cri }) => {
      await fails(cri.pull(reference), 'invalidArgument', /./)
    }),
  )
}

test(
  'a container of an image that is not there is refused, and the pod is still usable',
  story(async s => {
    const pod = await s.runPod()
    await fails(s.create(pod, { image: 'registry.k8s.io/e2e/absent:1' }), 'notFound', /absent/)
    assert.equal(await s.exec(await s.run(pod), 'echo', 'fine'), 'fine')
  }),
)

test(
  'a container in an unknown pod, and a pod with an unknown runtime handler, are refused',
  story(async s => {
    await fails(s.cri.createContainer(unknown, s.container(), podConfig(s.scratch)), 'notFound', /e{64}/)
    await assert.rejects(s.cri.runPod(podConfig(s.scratch), 'nosuch'), /nosuch/)
  }),
)

for (const { what, config, text } of [
  { what: 'no metadata', config: {}, text: /metadata/ },
  {
    what: 'a host name that is too long',
    config: { metadata: name('long'), hostname: 'x'.repeat(65) },
    text: /hostname/,
  },
]) {
  test(
    `a pod with ${what} is refused`,
    story(async ({ cri }) => {
      await fails(cri.runPod(config), 'invalidArgument', text)
    }),
  )
}

function name(text: string) {
  return { name: text, uid: 'u', namespace: 'n', attempt: 0 }
}

test(
  'garbage, cut connections and oversized messages harm nobody else',
  story(async s => {
    for (const bytes of [
      Buffer.alloc(100_000, 0xff),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(0),
    ]) {
      await sendRaw(s.scratch.socketPath, bytes)
    }
    assert.equal(await claimSize(s.scratch.socketPath, 0xffff_ffff), String(grpcCode.resourceExhausted))
    const torn = {
      ...runtimeMethods.RunPodSandbox,
      request: { encode: () => ({ finish: () => Buffer.from([0x0a, 0xff]) }) },
    }
    await assert.rejects(s.cri.client.call(torn as never, {} as never, { timeoutMs: 5_000 }))
    const pod = await s.runPod()
    assert.deepEqual(await s.cri.listPods(), [pod.id])
  }),
)

/** Announces a message of this size; answers the gRPC status. */
async function claimSize(path: string, bytes: number): Promise<string> {
  const session = connectHttp2('http://localhost', { createConnection: () => createConnection(path) })
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': runtimeMethods.Version.path,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const prefix = Buffer.alloc(5)
    prefix.writeUInt32BE(bytes, 1)
    stream.write(prefix)
    return await new Promise<string>((resolve, reject) => {
      const look = (headers: IncomingHttpHeaders): void => {
        if (headers['grpc-status'] !== undefined) resolve(String(headers['grpc-status']))
      }
      stream.on('response', look)
      stream.on('trailers', look)
      stream.on('error', reject)
      stream.setTimeout(10_000, () => {
        reject(new Error('no answer'))
      })
      stream.resume()
    })
  } finally {
    session.destroy()
  }
}

/** Sends bytes and waits until the other side hangs up, or a moment when it does not. */
async function sendRaw(path: string, bytes: Buffer): Promise<void> {
  const socket = createConnection(path)
  socket.on('error', () => undefined)
  await new Promise<void>(resolve => {
    socket.on('close', resolve)
    socket.setTimeout(500, () => socket.destroy())
    socket.end(bytes)
    socket.resume()
  })
}

test(
  'a second daemon on the same root, state or socket says so and leaves the first alone',
  story(async s => {
    const id = await s.run(await s.runPod())
    const dir = join(s.scratch.dir, 'second')
    await mkdir(dir, { recursive: true })
    const own = { rootDir: join(dir, 'root'), stateDir: join(dir, 'state'), socketPath: join(dir, 'sock') }
    for (const shared of ['rootDir', 'stateDir', 'socketPath'] as const) {
      const second = createDaemon({ ...s.scratch, dir, ...own, [shared]: s.scratch[shared] })
      assert.notEqual(await second.startToFail(), 0, shared)
      const log = await second.log()
      assert.ok(log.includes(s.scratch[shared]), `${shared}: ${log.slice(-1000)}`)
      assert.equal(await s.exec(id, 'echo', 'alive'), 'alive')
    }
  }),
)

test(
  'an RPC of a newer interface answers UNIMPLEMENTED',
  story(async ({ cri }) => {
    const path = '/runtime.v1.RuntimeService/FoldPodSandbox'
    await fails(cri.client.call({ ...runtimeMethods.Version, path }, {}), 'unimplemented', /FoldPodSandbox/)
  }),
)
