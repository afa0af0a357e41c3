import { chown, copyFile, mkdir, writeFile } from 'node:fs/promises'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'
import { podHostname } from '../host/hostname.ts'
import { hostOwner, userMappings } from '../host/id-mappings.ts'
import type { Pod } from '../model/pod.ts'
import type { PodDeps } from './pod-deps.ts'

/** The pod's files that containers see as /etc/hostname and /etc/resolv.conf, and the log directory. */
export async function writePodFiles(deps: Pick<PodDeps, 'paths' | 'resolvConf'>, pod: Pod): Promise<void> {
  const paths = deps.paths.pod(pod.id)
  try {
    await writeFile(paths.hostname, `${podHostname(pod)}\n`, { mode: 0o644 })
    await writeFile(paths.resolvConf, await deps.resolvConf(pod), { mode: 0o644 })
    await giveToPod(pod, [paths.hostname, paths.resolvConf])
    if (pod.config.logDirectory) await makeLogDirectory(pod.config.logDirectory)
  } catch (err) {
    throw fileError(`cannot write the files of pod sandbox "${pod.id}"`, err)
  }
}

/** What is in the way of a directory on the host that the client has chosen. */
const obstacles = new Set([
  'EEXIST',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ELOOP',
  'ENOENT',
  'EACCES',
  'EPERM',
  'EROFS',
])

async function makeLogDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (err) {
    const errno = errnoOf(err) ?? ''
    if (!obstacles.has(errno)) throw err
    throw new RuntimeError('failed-precondition', `cannot make the log directory "${path}": ${errno}`)
  }
}

/** /etc/hosts: the host's own in its network, else the pod's address and name. Written when the address is known. */
export async function writePodHosts(
  deps: Pick<PodDeps, 'paths'>,
  pod: Pod,
  ips: readonly string[],
): Promise<void> {
  const { hosts } = deps.paths.pod(pod.id)
  try {
    if (pod.config.namespaces.network === 'node') await copyFile('/etc/hosts', hosts)
    else await writeFile(hosts, hostsText(podHostname(pod), ips), { mode: 0o644 })
    await giveToPod(pod, [hosts])
  } catch (err) {
    throw fileError(`cannot write the hosts file of pod sandbox "${pod.id}"`, err)
  }
}

/** Containers may write to these files: they belong to their root. */
async function giveToPod(pod: Pod, paths: readonly string[]): Promise<void> {
  const mappings = userMappings(pod.config.namespaces)
  if (!mappings) return
  const { uid, gid } = hostOwner(mappings)
  for (const path of paths) await chown(path, uid, gid)
}

function hostsText(hostname: string, ips: readonly string[]): string {
  const own = ips.map(ip => `${ip}\t${hostname}`)
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...own,
    '',
  ].join('\n')
}
