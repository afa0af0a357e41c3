import { readFile } from 'node:fs/promises'
import { arch, release } from 'node:os'
import { pathExists, readFileIfExists } from '#base/files'
import { parseCapabilities } from './capabilities.ts'
import { type CgroupDriver, type CgroupLayout, detectCgroups } from './cgroups.ts'

/** What this machine and this process can do; gathered once at start, frozen. */
export interface HostFacts {
  readonly cgroups: CgroupLayout
  /** The daemon's own bounding set, names like CAP_CHOWN. */
  readonly capabilities: ReadonlySet<string>
  readonly oomScore: OomScoreFacts
  /** The daemon's own hard resource limits by name (RLIMIT_NOFILE); without those that are unlimited. */
  readonly hardLimits: ReadonlyMap<string, number>
  readonly hasApparmor: boolean
  readonly hasSelinux: boolean
  readonly kernel: KernelVersion
  /** Name as in Go's GOARCH (amd64, arm64, ...), which OCI uses. */
  readonly architecture: string
}

export interface OomScoreFacts {
  /** The daemon's own oom_score_adj. */
  readonly own: number
  /** Whether children may be given a lower one (CAP_SYS_RESOURCE). */
  readonly canLower: boolean
}

export interface KernelVersion {
  readonly major: number
  readonly minor: number
}

/** sysfs says of every file that it is as long as a page, which is 64 KiB at most. */
const limits = { flagBytes: 64 * 1024 } as const

/** Errors: `failed-precondition` names what the node lacks to run containers. */
export async function gatherHostFacts(options: {
  readonly cgroupDriver: CgroupDriver | 'auto'
  /** Default /sys/module/apparmor/parameters/enabled. */
  readonly apparmorPath?: string
}): Promise<HostFacts> {
  const [cgroups, status, oomScoreAdj, resourceLimits, apparmor, hasSelinux] = await Promise.all([
    detectCgroups({ driver: options.cgroupDriver }),
    readFile('/proc/self/status', 'utf8'),
    readFile('/proc/self/oom_score_adj', 'utf8'),
    readFile('/proc/self/limits', 'utf8'),
    readFileIfExists(options.apparmorPath ?? '/sys/module/apparmor/parameters/enabled', limits.flagBytes),
    pathExists('/sys/fs/selinux/enforce'),
  ])
  return Object.freeze({
    cgroups: Object.freeze(cgroups),
    capabilities: parseCapabilities(status, 'CapBnd'),
    oomScore: Object.freeze({
      own: Number(oomScoreAdj),
      canLower: parseCapabilities(status, 'CapEff').has('CAP_SYS_RESOURCE'),
    }),
    hardLimits: parseHardLimits(resourceLimits),
    hasApparmor: apparmor?.toString().trim() === 'Y',
    hasSelinux,
    kernel: Object.freeze(parseKernelVersion(release())),
    architecture: goArchitecture(arch()),
  })
}

/** Names in /proc/PID/limits (proc(5)) that are not those of setrlimit(2). */
const limitNames: Readonly<Record<string, string>> = {
  'cpu time': 'CPU',
  'file size': 'FSIZE',
  'data size': 'DATA',
  'stack size': 'STACK',
  'core file size': 'CORE',
  'resident set': 'RSS',
  processes: 'NPROC',
  'open files': 'NOFILE',
  'locked memory': 'MEMLOCK',
  'address space': 'AS',
  'file locks': 'LOCKS',
  'pending signals': 'SIGPENDING',
  'msgqueue size': 'MSGQUEUE',
  'nice priority': 'NICE',
  'realtime priority': 'RTPRIO',
  'realtime timeout': 'RTTIME',
}

export function parseHardLimits(text: string): ReadonlyMap<string, number> {
  const limits = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, words, hard] = /^Max (\S+(?: \S+)*?) {2,}\S+ +(\d+)\b/.exec(line) ?? []
    const name = limitNames[words ?? '']
    if (name !== undefined && hard !== undefined) limits.set(`RLIMIT_${name}`, Number(hard))
  }
  return limits
}

export function parseKernelVersion(text: string): KernelVersion {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(text) ?? []
  return { major: Number(major ?? 0), minor: Number(minor ?? 0) }
}

export function goArchitecture(name: string): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }
  return names[name] ?? name
}
