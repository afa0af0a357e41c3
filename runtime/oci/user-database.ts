/** One line of passwd(5). */
export interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** One line of group(5). */
export interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

/** Lines that are not entries are passed over, as the C library does. */
export function parsePasswd(text: string): readonly PasswdEntry[] {
  return lines(text).flatMap(line => {
    const [name, , uid, gid] = line.split(':', 4)
    if (!name || !isNumber(uid) || !isNumber(gid)) return []
    return [{ name, uid: Number(uid), gid: Number(gid) }]
  })
}

export function parseGroups(text: string): readonly GroupEntry[] {
  return lines(text).flatMap(line => {
    const [name, , gid, members] = line.split(':', 4)
    if (!name || !isNumber(gid)) return []
    return [{ name, gid: Number(gid), members: (members ?? '').split(',').filter(member => member !== '') }]
  })
}

function lines(text: string): readonly string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,10}$/.test(text)
}
