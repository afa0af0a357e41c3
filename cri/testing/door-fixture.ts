import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Log, LogFields } from '#base/log'
import { type Config, defaultConfig } from '../config/defaults.ts'
import { openCriDoor } from '../cri-door.ts'
import { type CriClient, createCriClient } from '../grpc/client.ts'
import type { RunningServer } from '../grpc/server.ts'
import { createFakeEngine, type FakeEngine } from './fake-engine.ts'

export interface DoorFixture {
  readonly engine: FakeEngine
  readonly client: CriClient
  readonly server: RunningServer
  readonly socketPath: string
  readonly config: Config
  readonly log: RecordingLog
}

/** The real door on a real socket before a fake engine that is ready; all is closed when the test ends. */
export async function openTestDoor(t: TestContext): Promise<DoorFixture> {
  const directory = await makeTestDirectory(t)
  const config = testConfig(directory)
  const engine = createFakeEngine()
  const log = createRecordingLog()
  const server = await openCriDoor({ engine, config, log })
  const socketPath = join(directory, 'lighter.sock')
  const client = createCriClient(socketPath)
  t.after(async () => {
    client.close()
    await server.stop()
  })
  engine.finishStart()
  await engine.start({ signal: new AbortController().signal, log })
  return { engine, client, server, socketPath, config, log }
}

export function testConfig(directory: string): Config {
  return {
    ...defaultConfig,
    root: join(directory, 'root'),
    state: join(directory, 'state'),
    listen: `unix://${join(directory, 'lighter.sock')}`,
  }
}

export async function makeTestDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cri-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export interface RecordingLog extends Log {
  readonly lines: { readonly level: string; readonly fields: LogFields; readonly message: string }[]
  /** Everything, as it would be written. */
  text(): string
}

export function createRecordingLog(): RecordingLog {
  const lines: RecordingLog['lines'] = []
  const at = (bound: LogFields): Log => {
    const level = (name: string) => (fields: LogFields, message: string) => {
      lines.push({ level: name, fields: { ...bound, ...fields }, message })
    }
    return {
      debug: level('debug'),
      info: level('info'),
      warn: level('warn'),
      error: level('error'),
      child: fields => at({ ...bound, ...fields }),
    }
  }
  return { ...at({}), lines, text: () => lines.map(line => JSON.stringify(line)).join('\n') }
}
