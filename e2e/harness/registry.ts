import type { Scratch } from './scratch.ts'

export interface E2eRegistry {
  readonly host: string
  readonly busybox: string
  readonly webServer: string
  readonly printer: string
  stop(): Promise<void>
}

export async function startRegistry(_scratch: Scratch): Promise<E2eRegistry> {
  throw new Error('x')
}
