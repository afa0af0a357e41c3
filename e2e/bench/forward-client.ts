import { spawn } from 'node:child_process'
import { eventually } from '../harness/eventually.ts'
import { crictlPath } from '../harness/paths.ts'
import type { Subject } from './subjects/subject.ts'

/** `crictl port-forward`, running. */
export interface Forward {
  /** On 127.0.0.1. */
  readonly port: number
  close(): Promise<void>
}

export async function openForward(
  { socketPath }: Subject,
  to: { readonly podId: string; readonly port: number },
): Promise<Forward> {
  const endpoint = `unix://${socketPath}`
  const flags = ['--runtime-endpoint', endpoint, '--image-endpoint', endpoint]
  const child = spawn(crictlPath, [...flags, 'port-forward', to.podId, `:${to.port}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = new Promise<void>(resolve => {
    child.once('error', resolve)
    child.once('exit', () => {
      resolve()
    })
  })
  const close = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  try {
    const port = await eventually('crictl forwards', () => {
      const found = Number(/127\.0\.0\.1:(\d+) ->/.exec(said)?.[1])
      return found > 0 && found
    })
    return { port, close }
  } catch (err) {
    await close()
    throw err
  }
}
