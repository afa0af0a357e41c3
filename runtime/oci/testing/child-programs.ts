import { execFile } from 'node:child_process'
import { RuntimeError } from '#base/errors'
import type { Programs } from '#base/programs'

/** Runs programs as children of the test itself; `calls` counts them. */
export function createChildPrograms(): Programs & { calls: number } {
  return {
    calls: 0,
    run(_ctx, program) {
      this.calls++
      const [file = '', ...args] = program.argv
      return new Promise((resolve, reject) => {
        const options = { env: {}, timeout: program.timeoutMs, encoding: 'buffer' } as const
        execFile(file, args, options, (err, stdout, stderr) => {
          if (err && typeof err.code !== 'number') {
            reject(new RuntimeError('not-found', `${file}: ${String(err.code)}`, { cause: err }))
          } else {
            resolve({ exitCode: typeof err?.code === 'number' ? err.code : 0, stdout, stderr })
          }
        })
      })
    },
  }
}
