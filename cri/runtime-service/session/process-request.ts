import { RuntimeError } from '#base/errors'
import type { ContainerId } from '#base/ids'
import type { Engine } from '#engine/engine'
import { invalid, requiredText } from '../../convert/fields.ts'

export interface ProcessStreams {
  readonly hasTty: boolean
  readonly hasStdin: boolean
  readonly hasStdout: boolean
  readonly hasStderr: boolean
}

/** The streams that Exec and Attach ask for. Errors: `invalid-argument` for combinations that make no sense. */
export function processStreams(request: {
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
}): ProcessStreams {
  const { tty, stdin, stdout, stderr } = request
  if (tty && stderr) throw invalid('tty and stderr cannot both be true: a terminal has one output')
  if (!stdin && !stdout && !stderr) throw invalid('one of stdin, stdout and stderr must be true')
  return { hasTty: tty, hasStdin: stdin, hasStdout: stdout, hasStderr: stderr }
}

/** Errors: `invalid-argument`, `not-found`, `failed-precondition`. */
export function runningContainerId({ containers }: Engine, prefix: string): ContainerId {
  const { id, phase } = containers.get(requiredText(prefix, 'container_id'))
  if (phase !== 'running')
    throw new RuntimeError('failed-precondition', `container ${id} is ${phase}, not running`)
  return id
}
