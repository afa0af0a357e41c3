import { once } from 'node:events'
import { createConnection } from 'node:net'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { whyNoCrictl } from '../../harness/crictl.ts'
import { eventually } from '../../harness/eventually.ts'
import { type Bench, type BenchCase, interleave, timed } from '../bench.ts'
import { type Forward, openForward } from '../forward-client.ts'
import { startPod } from '../pods.ts'
import { openExec } from '../stream-client.ts'
import type { Subject } from '../subjects/subject.ts'

const megabyte = 1_000_000
const chunkBytes = 32 * 1024
const serverPort = 7070

export const stream: BenchCase = {
  name: 'stream',
  title: 'streaming sessions over WebSocket, and port-forward through crictl',
  async run(bench) {
    const bytes = bench.options.megabytes * megabyte
    const shell = `exec nc -ll -p ${serverPort} -e head -c ${bytes} /dev/zero`
    const containers = new Map<Subject, string>()
    const pods = new Map<Subject, string>()
    for (const subject of bench.subjects) {
      const pod = await startPod(subject, { shell })
      pods.set(subject, pod.id)
      containers.set(subject, pod.containers[0] ?? '')
    }
    await interleave(bench, async (subject, record) => {
      const id = containers.get(subject) ?? ''
      const [, session] = await timed(() => download(subject, id, 1))
      record({ metric: 'exec with one byte of output', unit: 'ms', value: session })
      const [, down] = await timed(() => download(subject, id, bytes))
      record({ metric: 'exec, output', unit: 'MB/s', value: bytes / 1000 / down })
      const [, up] = await timed(() => upload(subject, id, bytes))
      record({ metric: 'exec, input', unit: 'MB/s', value: bytes / 1000 / up })
    })
    const reason = await whyNoCrictl()
    if (reason === false) await measureForward(bench, pods, bytes)
    else bench.sheet.note(`no port-forward: ${reason}`)
  },
}

async function download(subject: Subject, containerId: string, bytes: number): Promise<void> {
  const url = await urlOf(subject, {
    containerId,
    cmd: ['head', '-c', String(bytes), '/dev/zero'],
    stdout: true,
  })
  const exec = await openExec(url)
  await exec.ended
  if (exec.received() !== bytes) throw new Error(`${subject.name}: ${exec.received()} of ${bytes} bytes came`)
}

async function upload(subject: Subject, containerId: string, bytes: number): Promise<void> {
  const cmd = ['sh', '-c', `head -c ${bytes} | wc -c`]
  const exec = await openExec(await urlOf(subject, { containerId, cmd, stdin: true, stdout: true }))
  const chunk = Buffer.alloc(chunkBytes)
  for (let sent = 0; sent < bytes; sent += chunkBytes) {
    await exec.send(chunk.subarray(0, Math.min(chunkBytes, bytes - sent)))
  }
  await exec.ended
}

interface ExecRequest {
  readonly containerId: string
  readonly cmd: string[]
  readonly stdin?: boolean
  readonly stdout?: boolean
}

async function urlOf({ cri: { client } }: Subject, request: ExecRequest): Promise<string> {
  return (await client.call(rpc.Exec, request)).url
}

async function measureForward(
  bench: Bench,
  pods: ReadonlyMap<Subject, string>,
  bytes: number,
): Promise<void> {
  const forwards = new Map<Subject, Forward>()
  try {
    for (const [subject, podId] of pods) {
      forwards.set(subject, await openForward(subject, { podId, port: serverPort }))
    }
    await interleave(bench, async (subject, record) => {
      const port = forwards.get(subject)?.port ?? 0
      await eventually('the server in the pod listens', async () => (await receive(port)) > 0)
      const [received, ms] = await timed(() => receive(port))
      if (received !== bytes) throw new Error(`${subject.name}: ${received} of ${bytes} bytes came`)
      record({ metric: 'port-forward, output', unit: 'MB/s', value: bytes / 1000 / ms })
    })
  } finally {
    for (const forward of forwards.values()) await forward.close()
  }
}

/** How many bytes come until the other side closes. */
async function receive(port: number): Promise<number> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  let bytes = 0
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  await once(socket, 'close')
  return bytes
}
