import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { get } from '../../harness/http.ts'
import { runProgram } from '../../harness/program.ts'
import { namespace } from '../api.ts'
import type { ClusterStory, Stories } from '../cluster.ts'
import { shell } from '../manifests.ts'
import { isReady, statusOf } from '../pod-status.ts'
import { startService } from '../service.ts'
import { until } from '../until.ts'

export const sessions: Stories = [
  ['kubectl exec passes input, output and the exit code, over WebSocket and over SPDY', exec],
  ['a terminal has the size that the client says, and what is typed comes to the shell', terminal],
  ['kubectl attach talks to the process itself', attach],
  ['kubectl logs -f follows a log through its rotations, without a gap', followedLog],
  ['kubectl cp brings a file there and back', copy],
  ['kubectl port-forward reaches a server in the pod, over WebSocket and over SPDY', forward],
  ['kubectl debug looks at the processes of a container from another one', debug],
]

/** Settings of kubectl that choose the transport. */
const transports = [
  { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'true', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'true' },
  { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' },
] as const

async function exec(s: ClusterStory): Promise<void> {
  await s.create(s.make.pod('talk'))
  await s.api.podWhen('talk', 'is ready', isReady)
  for (const env of transports) {
    const argv = s.kubectl.argv('exec', '-i', 'talk', '--', ...shell('cat; echo wrong >&2; exit 7'))
    const outcome = await runProgram(argv, { env, input: 'typed\n' })
    assert.deepEqual(
      { ...outcome, stderr: outcome.stderr.split('\n')[0] },
      {
        exitCode: 7,
        stdout: 'typed\n',
        stderr: 'wrong',
      },
    )
  }
}

async function terminal(s: ClusterStory): Promise<void> {
  await s.create(s.make.pod('shows'))
  await s.api.podWhen('shows', 'is ready', isReady)
  const { Exec } = await import('@kubernetes/client-node')
  const input = new PassThrough()
  const output = Object.assign(new PassThrough(), { rows: 33, columns: 77 })
  let seen = ''
  output.on('data', (chunk: Buffer) => {
    seen += chunk.toString()
  })
  const socket = await new Exec(s.api.config).exec(
    namespace,
    'shows',
    'main',
    'sh',
    output,
    null,
    input,
    true,
  )
  const closed = new Promise(resolve => {
    socket.addEventListener('close', resolve)
  })
  await until('the shell has its size', {
    ask: () => {
      input.write('stty size\n')
      return Promise.resolve(seen)
    },
    accept: text => text.includes('33 77'),
  })
  input.write('exit\n')
  await closed
}

async function attach(s: ClusterStory): Promise<void> {
  const main = s.make.container('main', {
    command: shell('read line; echo "got $line"; read line; echo "then $line"'),
    stdin: true,
    stdinOnce: true,
  })
  await s.create(s.make.pod('listens', { restartPolicy: 'Never', containers: [main] }))
  await s.api.podWhen('listens', 'is ready', isReady)
  const { stdout } = await runProgram(s.kubectl.argv('attach', '-q', '-i', 'listens'), {
    input: 'one\ntwo\n',
  })
  assert.equal(stdout, 'got one\nthen two\n')
  await s.api.podWhen('listens', 'has succeeded', ({ status }) => status?.phase === 'Succeeded')
}

async function followedLog(s: ClusterStory): Promise<void> {
  const lines = 1_200
  const line = `i=0; while [ $i -lt ${String(lines)} ]; do echo "line $i $(printf %0200d 0)"; i=$((i+1)); usleep 8000; done`
  const main = s.make.container('main', { command: shell(line) })
  await s.create(s.make.pod('chatty', { restartPolicy: 'Never', containers: [main] }))
  await s.api.podWhen('chatty', 'runs', ({ status }) => status?.phase === 'Running')
  const text = await s.kubectl('logs', '-f', 'chatty')
  const numbers = [...text.matchAll(/^line (\d+) 0+$/gm)].map(match => Number(match[1]))
  assert.deepEqual(
    numbers,
    Array.from({ length: lines }, (_, index) => index),
  )
}

async function copy(s: ClusterStory): Promise<void> {
  const dir = join(s.world.scratch.dir, 'copied')
  await mkdir(dir)
  const content = randomBytes(3 * 1024 * 1024)
  await writeFile(join(dir, 'there'), content)
  await s.create(s.make.pod('keeps'))
  await s.api.podWhen('keeps', 'is ready', isReady)
  await s.kubectl('cp', join(dir, 'there'), 'keeps:/tmp/file')
  assert.equal(
    (await s.kubectl('exec', 'keeps', '--', 'stat', '-c', '%s', '/tmp/file')).trim(),
    String(content.length),
  )
  await s.kubectl('cp', 'keeps:/tmp/file', join(dir, 'back'))
  assert.ok(content.equals(await readFile(join(dir, 'back'))))
}

async function forward(s: ClusterStory): Promise<void> {
  const server = s.make.container('main', {
    image: s.world.registry.webServer,
    command: shell('exec httpd -f -p 80 -h /www'),
    readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 },
  })
  await s.create(s.make.pod('serves', { containers: [server] }))
  await s.api.podWhen('serves', 'is ready', isReady)
  for (const [index, env] of transports.entries()) {
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const argv = ['env', ...settings, ...s.kubectl.argv('port-forward', 'pod/serves', ':80')] as const
    const logPath = join(s.world.scratch.dir, `port-forward-${String(index)}.log`)
    const service = await startService(['env', ...argv.slice(1)], { name: 'port-forward', logPath })
    try {
      const port = await until('kubectl has a port', {
        ask: async () => /127\.0\.0\.1:(\d+) -> 80/.exec(await service.log())?.[1],
        accept: found => found !== undefined,
      })
      for (let i = 0; i < 3; i++)
        assert.match(await get(`http://127.0.0.1:${port ?? ''}/`), /Hello from a pod/)
    } finally {
      await service.stop()
    }
  }
}

async function debug(s: ClusterStory): Promise<void> {
  const main = s.make.container('main', { command: ['sleep', '4321'] })
  await s.create(s.make.pod('watched', { containers: [main] }))
  await s.api.podWhen('watched', 'is ready', isReady)
  const { image } = main
  const container = ['--image', image ?? '', '--container', 'debugger', '--target', 'main']
  await s.kubectl('debug', 'watched', ...container, '--', ...shell('ps | grep -o "[s]leep 4321"'))
  const pod = await s.api.podWhen(
    'watched',
    'has been looked at',
    found => statusOf(found, 'debugger')?.state?.terminated !== undefined,
  )
  assert.equal(statusOf(pod, 'debugger')?.state?.terminated?.exitCode, 0)
  assert.equal(await s.api.log('watched', 'debugger'), 'sleep 4321\n')
  assert.ok(isReady(pod))
}
