import { type ChildProcess, spawn } from 'node:child_process'
import { abortError, type Ctx, throwIfAborted } from '#base/context'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import { type Program, type ProgramResult, type Programs, programLimits } from '#base/programs'

/** One finished run, for tests that look at what was run and how long it took. */
export interface Run {
  readonly program: Program
  readonly ms: number
}

/** Programs on node:child_process, for tests: what lighter-host does for the daemon. */
export function createChildPrograms(onRun: (run: Run) => void = () => undefined): Programs {
  return {
    async run(ctx, program) {
      throwIfAborted(ctx)
      const startedAt = performance.now()
      try {
        return await runChild(ctx, program)
      } finally {
        onRun({ program, ms: performance.now() - startedAt })
      }
    },
  }
}

async function runChild(ctx: Ctx, program: Program): Promise<ProgramResult> {
  const [path = '', ...args] = program.argv
  const env = Object.fromEntries(program.env.map(pair => splitPair(pair)))
  const child = spawn(path, args, { env, detached: true, stdio: 'pipe', cwd: program.cwd ?? '/' })
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  // A program may end without reading its input.
  child.stdin.on('error', () => undefined)
  child.stdin.end(program.stdin ?? '')
  const killed = killWhenLate(ctx, child, program)
  try {
    const exitCode = await ended(child)
    const reason = killed.reason()
    if (reason) throw reason
    return { exitCode, stdout: stdout(), stderr: stderr() }
  } finally {
    killed.forget()
  }
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at), pair.slice(at + 1)]
}

function collect(stream: NodeJS.ReadableStream): () => Buffer {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, programLimits.outputBytes - bytes)
    bytes += kept.length
    if (kept.length > 0) chunks.push(kept)
  })
  return () => Buffer.concat(chunks)
}

function killWhenLate(
  ctx: Ctx,
  child: ChildProcess,
  program: Program,
): { reason(): RuntimeError | undefined; forget(): void } {
  let reason: RuntimeError | undefined
  const kill = (why: RuntimeError) => {
    reason ??= why
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  const onAbort = () => {
    kill(abortError(ctx.signal))
  }
  const timer = setTimeout(() => {
    kill(new RuntimeError('deadline-exceeded', `not done within ${program.timeoutMs} ms`))
  }, program.timeoutMs)
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  return {
    reason: () => reason,
    forget() {
      clearTimeout(timer)
      ctx.signal.removeEventListener('abort', onAbort)
    },
  }
}

const signals: Readonly<Record<string, number>> = { SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }

async function ended(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.on('error', err => {
      const kind = errnoOf(err) === 'ENOENT' ? 'not-found' : 'internal'
      reject(new RuntimeError(kind, messageOf(err), { cause: err }))
    })
    child.on('close', (code, signal) => {
      resolve(code ?? 128 + (signals[signal ?? ''] ?? 1))
    })
  })
}
