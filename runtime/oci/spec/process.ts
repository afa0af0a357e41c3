import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import type { OomScoreFacts } from '../../host/host-facts.ts'
import type { ContainerConfig } from '../../model/container.ts'
import type { ImageConfig } from '../../model/image.ts'
import type { LinuxResources } from '../../model/linux.ts'
import { selinuxLabels } from './selinux.ts'
import type { SpecInput } from './spec-input.ts'
import type { CapabilitySpec, ProcessSpec } from './types.ts'

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const oomScoreRange = { min: -1000, max: 1000 } as const

/** The first process of a container (OCI config.md, Process). */
export function containerProcess(input: SpecInput, capabilities: CapabilitySpec): ProcessSpec {
  const { config, image } = input
  const { security } = config
  const labels = selinuxLabels(config, input.pod, input.facts)
  const oomScoreAdj = processOomScore(config.resources, input.facts.oomScore)
  return {
    terminal: config.hasTty,
    user: {
      uid: input.user.uid,
      gid: input.user.gid,
      additionalGids: input.user.supplementalGroups,
    },
    args: commandLine(config, image),
    env: environment(input),
    cwd: workingDirectory(config, image),
    capabilities,
    noNewPrivileges: security.hasNoNewPrivileges,
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(input.apparmorProfile === undefined ? {} : { apparmorProfile: input.apparmorProfile }),
    ...(labels ? { selinuxLabel: labels.process } : {}),
  }
}

/** CRI: command replaces the entry point and with it the image's arguments; args alone replace only those. */
function commandLine(config: ContainerConfig, image: ImageConfig): readonly string[] {
  const isImages = config.command.length === 0
  const command = isImages ? image.entrypoint : config.command
  const args = isImages && config.args.length === 0 ? image.cmd : config.args
  const line = [...command, ...args]
  if (line.length === 0) {
    throw new RuntimeError(
      'invalid-argument',
      `no command specified: neither the config of container "${config.metadata.name}" nor its image has one`,
    )
  }
  for (const word of line) refuseNul('command', word)
  return line
}

/** Later ones win, at the place of the first. */
function environment(input: SpecInput): readonly string[] {
  const variables = new Map<string, string>()
  const set = (entry: string): void => {
    refuseNul('environment', entry)
    const end = entry.indexOf('=')
    if (end > 0) variables.set(entry.slice(0, end), entry)
  }
  set(defaultPath)
  set(`HOSTNAME=${input.hostname}`)
  if (input.config.hasTty) set('TERM=xterm')
  for (const entry of input.image.env) set(entry)
  for (const { key, value } of input.config.envs) {
    if (key === '' || key.includes('=')) {
      throw new RuntimeError('invalid-argument', `envs: "${key}" is not a name of an environment variable`)
    }
    set(`${key}=${value}`)
  }
  return [...variables.values()]
}

function workingDirectory(config: ContainerConfig, image: ImageConfig): string {
  const directory = config.workingDir === '' ? image.workingDir : config.workingDir
  refuseNul('working_dir', directory)
  return posix.join('/', directory)
}

function refuseNul(field: string, text: string): void {
  if (text.includes('\0')) throw new RuntimeError('invalid-argument', `${field} contains a NUL character`)
}

/** As asked for; where the daemon may not lower the score, not below its own. undefined: none was asked for. */
export function processOomScore(
  resources: Pick<LinuxResources, 'oomScoreAdj'> | undefined,
  facts: OomScoreFacts,
): number | undefined {
  const wanted = resources?.oomScoreAdj
  if (wanted === undefined) return undefined
  if (wanted < oomScoreRange.min || wanted > oomScoreRange.max) {
    throw new RuntimeError('invalid-argument', `oom_score_adj ${wanted} is outside of -1000 to 1000`)
  }
  return facts.canLower ? wanted : Math.max(wanted, facts.own)
}
