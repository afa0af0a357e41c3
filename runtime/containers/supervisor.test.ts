import assert from 'node:assert/strict'
import test from 'node:test'
import type { Ctx } from '#base/context'
import { silentLog } from '#base/log'
import type { ShimState } from '#shim/shim'
import type { Container } from '../model/container.ts'
import { createPaths } from '../state/paths.ts'
import { createTable, type Table } from '../state/table.ts'
import { createFakeShims, type FakeShim } from '../testing/fake-shims.ts'
import { createMemoryRecords } from '../testing/memory-records.ts'
import { sampleContainer } from '../testing/samples.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'

const ctx: Ctx = { signal: new AbortController().signal, log: silentLog }
const exited = (exitCode: number, isOomKilled = false): ShimState => ({
  kind: 'exited',
  exit: { exitCode, signal: 0, isOomKilled, finishedAtNs: 77n },
})

interface Watching {
  readonly supervisor: Supervisor
  readonly table: Table<Container>
  readonly container: Container
  readonly shim: FakeShim
  readonly killed: string[]
  /** Ends that were told. */
  readonly told: Container[]
  exitFile: ShimState | undefined
}

async function watching(): Promise<Watching> {
  const container = sampleContainer()
  const table = createTable('container', createMemoryRecords<Container>())
  await table.insert(container)
  const shims = createFakeShims()
  const paths = createPaths({ rootDir: '/root', stateDir: '/state' })
  const shim = shims.at(paths.container(container.id).socket)
  const killed: string[] = []
  const told: Container[] = []
  const made = { table, container, shim, killed, told, exitFile: undefined as ShimState | undefined }
  const supervisor = createSupervisor({
    table,
    shims,
    paths,
    readExitFile: () => Promise.resolve(watched.exitFile),
    killLost: (_ctx, lost) => {
      killed.push(lost.id)
      return Promise.resolve()
    },
    onEnded: (_ctx, ended) => Promise.resolve(void told.push(ended)),
    now: () => 99n,
    log: silentLog,
  })
  const watched: Watching = { ...made, supervisor }
  shim.tell({ kind: 'running', pid: 4711 })
  assert.deepEqual(await supervisor.watch(ctx, container.id), { kind: 'running', pid: 4711 })
  return watched
}

test('an exit is recorded with the reason that the kubelet shows', async t => {
  const cases: readonly (readonly [string, ShimState, string, number])[] = [
    ['code 0', exited(0), 'Completed', 0],
    ['code 0 though a child was OOM-killed', exited(0, true), 'Completed', 0],
    ['code 3', exited(3), 'Error', 3],
    ['OOM', exited(137, true), 'OOMKilled', 137],
    ['start failure', { kind: 'failed', message: 'no such file' }, 'StartError', 128],
  ]
  for (const [name, state, reason, exitCode] of cases) {
    await t.test(name, async () => {
      const { supervisor, table, container, shim, told } = await watching()
      shim.tell(state)
      await supervisor.ended(container.id)
      const ended = table.resolve(container.id)
      await supervisor.record(ctx, container.id, state)
      assert.deepEqual(told, [ended], 'an end is told once')
      assert.equal(ended.phase, 'exited')
      assert.equal(ended.pid, undefined)
      assert.equal(ended.exit?.reason, reason)
      assert.equal(ended.exit.exitCode, exitCode)
      assert.equal(ended.finishedAtNs, state.kind === 'exited' ? 77n : 99n)
    })
  }
})

test('gone resolves when the shim has closed, not when the end was told', async () => {
  const { supervisor, container, shim } = await watching()
  let isGone = false
  const gone = supervisor.gone(container.id).then(() => {
    isGone = true
  })
  shim.tell(exited(0), false)
  await supervisor.ended(container.id)
  assert.equal(isGone, false)
  shim.vanish()
  await gone
})

test('a broken connection to a living shim is made again', async () => {
  const { supervisor, table, container, shim, killed } = await watching()
  shim.breakWatches()
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(table.resolve(container.id).phase, 'running')
  shim.tell(exited(5))
  await supervisor.ended(container.id)
  assert.equal(table.resolve(container.id).exit?.exitCode, 5)
  assert.deepEqual(killed, [])
})

test('a shim that vanished after writing the exit file lost nothing', async () => {
  const watched = await watching()
  watched.exitFile = exited(9)
  watched.shim.vanish()
  await watched.supervisor.ended(watched.container.id)
  assert.equal(watched.table.resolve(watched.container.id).exit?.exitCode, 9)
  assert.deepEqual(watched.killed, [])
})

test('what is left of a container whose shim was killed is ended and recorded as unknown', async () => {
  const { supervisor, table, container, shim, killed } = await watching()
  shim.vanish()
  await supervisor.ended(container.id)
  const { phase, exit } = table.resolve(container.id)
  assert.equal(phase, 'exited')
  assert.equal(exit?.reason, 'Unknown')
  assert.equal(exit.exitCode, 255)
  assert.deepEqual(killed, [container.id])
})

test('a stopped supervisor records nothing: the containers go on', async () => {
  const { supervisor, table, container, killed } = await watching()
  supervisor.stop()
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(table.resolve(container.id).phase, 'running')
  assert.deepEqual(killed, [])
})

test('an end that nobody saw is recorded as the exit file says, without killing anything', async () => {
  const watched = await watching()
  watched.exitFile = exited(7)
  await watched.supervisor.record(ctx, watched.container.id, undefined)
  const ended = watched.table.resolve(watched.container.id)
  assert.deepEqual([ended.phase, ended.exit?.exitCode, ended.exit?.reason], ['exited', 7, 'Error'])
  assert.deepEqual(watched.killed, [])
  watched.supervisor.stop()
})

test('a container never ends before it started, though the daemon heard of its start later', async () => {
  const { supervisor, table, container, shim } = await watching()
  shim.tell(exited(0))
  await supervisor.ended(container.id)
  const { startedAtNs, finishedAtNs } = table.resolve(container.id)
  assert.ok(container.startedAtNs > finishedAtNs)
  assert.equal(startedAtNs, finishedAtNs)
})
