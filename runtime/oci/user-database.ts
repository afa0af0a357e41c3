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
  /** Names, separated by commas. */
  readonly members: string
}

/** Lines that are not entries are passed over, as the C library does. */
export function parsePasswd(text: string): readonly PasswdEntry[] {
  const entries: PasswdEntry[] = []
  for (const line of lines(text)) {
    const [name, , uid, gid] = line.split(':', 4)
    if (name && isNumber(uid) && isNumber(gid)) entries.push({ name, uid: Number(uid), gid: Number(gid) })
  }
  return entries
}

export function parseGroups(text: string): readonly GroupEntry[] {
  const entries: GroupEntry[] = []
  for (const line of lines(text)) {
    const [name, , gid, members] = line.split(':', 4)
    if (name && isNumber(gid)) entries.push({ name, gid: Number(gid), members: members ?? '' })
  }
  return entries
}

export function hasMember(group: GroupEntry, user: string): boolean {
  return `,${group.members},`.includes(`,${user},`)
}

/** As short as a line with a name and a number can be. */
const shortestLine = 'a::0'.length

/** One at a time, as a hostile image may have nothing but line ends. */
function* lines(text: string): Generator<string> {
  let start = 0
  while (start < text.length) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    if (end - start >= shortestLine && text[start] !== '#') yield text.slice(start, end).trimEnd()
    start = end + 1
  }
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,10}$/.test(text)
}
