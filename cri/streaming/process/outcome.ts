import { RuntimeError } from '#base/errors'

/** How a process or a connection to it ended. */
export type Outcome = { readonly exitCode: number } | { readonly failure: unknown }

/** Generation of the remote command protocol: 4 and later report a JSON status, earlier ones a text, or nothing. */
export type ProtocolVersion = 1 | 2 | 3 | 4 | 5

/**
 * What the error stream says; empty: nothing. From version 4 on the metav1.Status that client-go understands:
 * an exit code is a cause of reason `ExitCode`.
 */
export function encodeOutcome(outcome: Outcome, version: ProtocolVersion): Buffer {
  const isSuccess = 'exitCode' in outcome && outcome.exitCode === 0
  if (version < 4) return Buffer.from(isSuccess ? '' : messageFor(outcome))
  return Buffer.from(JSON.stringify(isSuccess ? { metadata: {}, status: 'Success' } : failureStatus(outcome)))
}

function failureStatus(outcome: Outcome): object {
  const status = { metadata: {}, status: 'Failure', message: messageFor(outcome) }
  if ('failure' in outcome) return { ...status, reason: 'InternalError', code: 500 }
  const causes = [{ reason: 'ExitCode', message: String(outcome.exitCode) }]
  return { ...status, reason: 'NonZeroExitCode', details: { causes } }
}

function messageFor(outcome: Outcome): string {
  if ('exitCode' in outcome) return `command terminated with non-zero exit code: ${outcome.exitCode}`
  return failureText(outcome.failure)
}

/** What is not a RuntimeError tells the client nothing. */
export function failureText(failure: unknown): string {
  return failure instanceof RuntimeError ? failure.message : 'internal error'
}
