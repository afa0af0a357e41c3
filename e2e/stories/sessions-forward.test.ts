import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { mode } from '../harness/configs.ts'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { eventually } from '../harness/eventually.ts'
import { crictlPath } from '../harness/paths.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()

/** crictl port-forward of a free local port to a port of the pod; ends with the test. */
async function forward(
  s: Story,
  t: TestContext,
  to: { readonly podId: string; readonly port: number },
): Promise<number> {
  await createCrictl(s.scratch)
  const config = join(s.scratch.dir, 'crictl.yaml')
  const args = ['--config', config, 'port-forward', to.podId, `:${String(to.port)}`]
  const child: ChildProcess = spawn(crictlPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  return eventually('crictl forwards', () => {
    const port = Number(/127\.0\.0\.1:(\d+) ->/.exec(said)?.[1])
    return port > 0 && port
  })
}

/** What a server answers to one line. */
async function ask(port: number, line: string): Promise<string> {
  const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true })
  let answer = ''
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString()
  })
  await once(socket, 'connect')
  socket.end(`${line}\n`)
  await once(socket, 'close')
  return answer
}

test(
  'a port of localhost inside of a pod can be reached, and only while something listens there',
  { skip: await whyNoCrictl() },
  story(async (s, t) => {
    const pod = await s.runPod()
    const id = await s.run(pod, { shell: "nc -ll -p 7070 -e sh -c 'read line; echo got $line'" })
    await eventually('the server listens', async () =>
      (await s.exec(id, 'netstat', '-ltn')).includes(':7070'),
    )
    const port = await forward(s, t, { podId: pod.id, port: 7070 })
    assert.equal(await ask(port, 'one'), 'got one\n')
    const answers = await Promise.all(['two', 'three', 'four'].map(line => ask(port, line)))
    assert.deepEqual(answers, ['got two\n', 'got three\n', 'got four\n'])
    await s.cri.stopContainer(id)
    assert.equal(await ask(port, 'five'), '')
    assert.deepEqual(await readdir(join(s.scratch.stateDir, 'forwards')), [])
  }),
)

test(
  'a pod with the network of the host forwards to ports of the host',
  { skip: await whyNoCrictl() },
  story(async (s, t) => {
    const server = createServer({ allowHalfOpen: true }, client => client.pipe(client))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const address = server.address()
    assert.ok(address && typeof address === 'object')
    const pod = await s.runPod({ namespaces: { network: mode.NODE } })
    const port = await forward(s, t, { podId: pod.id, port: address.port })
    assert.equal(await ask(port, 'echo'), 'echo\n')
  }),
)
