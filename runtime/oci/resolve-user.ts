import type { Ctx } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import type { Host } from '#shim/host'
import type { ContainerSecurity, ContainerUser } from '../model/container.ts'
import { type GroupEntry, hasMember, type PasswdEntry, parseGroups, parsePasswd } from './user-database.ts'

const limits = { databaseBytes: 256 * 1024, groups: 65_536 } as const
/** The last id, 2^32-1, stands for "no change" in system calls. */
const maxId = 4_294_967_294

interface UserInput {
  readonly rootfsPath: string
  readonly security: ContainerSecurity
  /** User of the image config: `user`, `uid`, `user:group`, ...; "" for root. */
  readonly imageUser: string
}

/**
 * The identity of a container's first process: run_as_user or run_as_username, else the image's user, looked up
 * in the image's own /etc/passwd and /etc/group. The primary group is always among the supplemental groups.
 * Errors: `invalid-argument` for ids out of range, names that the image does not know, and a group alone.
 */
export async function resolveUser(
  ctx: Ctx,
  host: Pick<Host, 'readInRoot'>,
  input: UserInput,
): Promise<ContainerUser> {
  const { security } = input
  const wanted = wantedUser(security, input.imageUser)
  const [passwd, group] = await Promise.all([
    readDatabase(ctx, host, { root: input.rootfsPath, path: '/etc/passwd' }),
    readDatabase(ctx, host, { root: input.rootfsPath, path: '/etc/group' }),
  ])
  const entry = findUser(wanted.user, parsePasswd(passwd))
  const groups = parseGroups(group)
  const uid = entry?.uid ?? Number(wanted.user)
  const gid = primaryGroup(security, { wanted: wanted.group, entry, groups })
  const ofImage = security.supplementalGroupsPolicy === 'merge' && entry ? groupsOf(entry.name, groups) : []
  const supplemental = new Set([gid, ...ofImage, ...security.supplementalGroups.map(checkedGroup)])
  if (supplemental.size > limits.groups) {
    throw new RuntimeError('invalid-argument', `more than ${limits.groups} supplemental groups`)
  }
  return { uid, gid, supplementalGroups: [...supplemental] }
}

interface WantedUser {
  /** Name or number. */
  readonly user: string
  readonly group: string
}

function wantedUser(security: ContainerSecurity, imageUser: string): WantedUser {
  if (security.runAsUser !== undefined) {
    return { user: String(checkedId('run_as_user', security.runAsUser)), group: '' }
  }
  if (security.runAsUsername !== '') return { user: security.runAsUsername, group: '' }
  if (security.runAsGroup !== undefined) {
    throw new RuntimeError('invalid-argument', 'run_as_group needs run_as_user or run_as_username')
  }
  const [user, group] = imageUser.split(':', 2)
  return { user: user === undefined || user === '' ? '0' : user, group: group ?? '' }
}

/**
 * undefined for a number that the image gives no name. A number is always an id: an image must not be able to
 * make root of a user that the client has checked not to be, by calling one "1000".
 */
function findUser(user: string, passwd: readonly PasswdEntry[]): PasswdEntry | undefined {
  if (/^\d+$/.test(user)) {
    const uid = checkedId('user', Number(user))
    const numbered = passwd.find(entry => entry.uid === uid)
    return numbered && checkedEntry(numbered)
  }
  const named = passwd.find(entry => entry.name === user)
  if (!named) throw new RuntimeError('invalid-argument', `the image's /etc/passwd has no user "${user}"`)
  return checkedEntry(named)
}

function checkedEntry(entry: PasswdEntry): PasswdEntry {
  checkedId(`user "${entry.name}" of the image's /etc/passwd`, entry.uid)
  checkedId(`group of user "${entry.name}" of the image's /etc/passwd`, entry.gid)
  return entry
}

function primaryGroup(
  security: ContainerSecurity,
  found: {
    readonly wanted: string
    readonly entry: PasswdEntry | undefined
    readonly groups: readonly GroupEntry[]
  },
): number {
  if (security.runAsGroup !== undefined) return checkedId('run_as_group', security.runAsGroup)
  if (found.wanted === '') return found.entry?.gid ?? 0
  if (/^\d+$/.test(found.wanted)) return checkedId('group', Number(found.wanted))
  const named = found.groups.find(group => group.name === found.wanted)
  if (named) return checkedId(`group "${named.name}" of the image's /etc/group`, named.gid)
  throw new RuntimeError('invalid-argument', `the image's /etc/group has no group "${found.wanted}"`)
}

function groupsOf(user: string, groups: readonly GroupEntry[]): readonly number[] {
  return groups.filter(group => hasMember(group, user) && group.gid <= maxId).map(group => group.gid)
}

function checkedGroup(gid: number): number {
  return checkedId('supplemental_groups', gid)
}

function checkedId(field: string, id: number): number {
  if (!Number.isSafeInteger(id) || id < 0 || id > maxId) {
    throw new RuntimeError('invalid-argument', `${field}: ${id} is not from 0 to ${maxId}`)
  }
  return id
}

async function readDatabase(
  ctx: Ctx,
  host: Pick<Host, 'readInRoot'>,
  file: { readonly root: string; readonly path: string },
): Promise<string> {
  try {
    const data = await host.readInRoot(ctx, file.root, file.path, limits.databaseBytes)
    return data?.toString() ?? ''
  } catch (err) {
    throw withContext(`cannot read the image's ${file.path}`, err)
  }
}
