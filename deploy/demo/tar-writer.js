/** Seconds since the epoch that entries get when they say nothing: images built twice are the same. */
export const layerTime = 1_700_000_000
const blockSize = 512
const nameSize = 100
const largestOctal = 0o7777777
const typeFlags = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
}
/** A tar archive (ustar, with pax headers where ustar is too small) with its end marker. */
export function writeTar(entries) {
  return Buffer.concat([...entries.flatMap(writeEntry), Buffer.alloc(2 * blockSize)])
}
/** One header block with a right checksum; `patch` may spoil it before that. */
export function tarHeader(header, patch) {
  const block = Buffer.alloc(blockSize)
  block.write(header.name, 0, nameSize, 'latin1')
  writeNumber(block.subarray(100, 108), header.mode ?? 0o644)
  writeNumber(block.subarray(108, 116), header.uid ?? 0)
  writeNumber(block.subarray(116, 124), header.gid ?? 0)
  writeNumber(block.subarray(124, 136), header.size ?? 0)
  writeNumber(block.subarray(136, 148), header.mtimeSeconds ?? layerTime)
  block.write(header.typeFlag, 156, 1, 'latin1')
  block.write(header.link ?? '', 157, nameSize, 'latin1')
  block.write(header.magic === 'gnu' ? 'ustar  \0' : 'ustar\x0000', 257, 8, 'latin1')
  writeNumber(block.subarray(329, 337), header.major ?? 0)
  writeNumber(block.subarray(337, 345), header.minor ?? 0)
  patch?.(block)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1')
  return block
}
/** Content filled up to whole blocks. */
export function tarContent(content) {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const padding = (blockSize - (bytes.byteLength % blockSize)) % blockSize
  return Buffer.concat([bytes, Buffer.alloc(padding)])
}
/** A pax header (type `x`, or `g` for all that follow) with these records, in order. */
export function paxHeader(records, typeFlag = 'x') {
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)))
  const header = tarHeader({ name: 'PaxHeaders/entry', typeFlag, size: body.byteLength })
  return Buffer.concat([header, tarContent(body)])
}
function paxRecord(key, value) {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
  // The length counts its own digits.
  let length = rest.byteLength + 1
  while (String(length).length + rest.byteLength !== length) length++
  return Buffer.concat([Buffer.from(String(length)), rest])
}
function writeEntry(entry) {
  switch (entry.type) {
    case 'raw':
      return [Buffer.from(entry.bytes)]
    case 'whiteout': {
      const slash = entry.path.lastIndexOf('/') + 1
      const path = `${entry.path.slice(0, slash)}.wh.${entry.path.slice(slash)}`
      return writeEntry({ type: 'file', path, content: '' })
    }
    case 'opaque':
      return writeEntry({ type: 'file', path: `${entry.path}/.wh..wh..opq`, content: '' })
    case 'file':
    case 'directory':
    case 'fifo':
    case 'symlink':
    case 'hardlink':
    case 'character-device':
    case 'block-device':
      return writeNode(entry)
  }
}
function writeNode(entry) {
  const content = entry.type === 'file' ? Buffer.from(entry.content) : Buffer.alloc(0)
  const target = 'target' in entry ? entry.target : ''
  const isDevice = entry.type === 'character-device' || entry.type === 'block-device'
  const mtimeSeconds = entry.mtimeSeconds ?? layerTime
  const header = tarHeader({
    name: fits(entry.path) ? entry.path : '',
    typeFlag: typeFlags[entry.type],
    size: content.byteLength,
    mode: entry.mode ?? (entry.type === 'directory' ? 0o755 : 0o644),
    uid: Math.min(entry.uid ?? 0, largestOctal),
    gid: Math.min(entry.gid ?? 0, largestOctal),
    mtimeSeconds: Math.max(0, Math.floor(mtimeSeconds)),
    link: fits(target) ? target : '',
    ...(isDevice ? { major: entry.major, minor: entry.minor } : {}),
  })
  const records = paxRecords(entry, { target, mtimeSeconds })
  return [...(records.length > 0 ? [paxHeader(records)] : []), header, tarContent(content)]
}
function fits(name) {
  // Only plain ASCII: what other bytes of a ustar name mean is not said anywhere.
  return name.length <= nameSize && /^[\x20-\x7e]*$/.test(name)
}
function paxRecords(entry, { target, mtimeSeconds }) {
  const records = []
  if (!fits(entry.path)) records.push(['path', entry.path])
  if (!fits(target)) records.push(['linkpath', target])
  if ((entry.uid ?? 0) > largestOctal) records.push(['uid', String(entry.uid)])
  if ((entry.gid ?? 0) > largestOctal) records.push(['gid', String(entry.gid)])
  if (mtimeSeconds < 0 || !Number.isInteger(mtimeSeconds)) records.push(['mtime', String(mtimeSeconds)])
  for (const [name, value] of Object.entries(entry.xattrs ?? {}))
    records.push([`SCHILY.xattr.${name}`, value])
  return records
}
function writeNumber(field, value) {
  const digits = value.toString(8)
  if (value >= 0 && digits.length < field.byteLength) {
    field.write(`${digits.padStart(field.byteLength - 1, '0')}\0`, 'latin1')
    return
  }
  let rest = BigInt(value)
  for (let i = field.byteLength - 1; i >= 0; i--) {
    field[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  field[0] = (field[0] ?? 0) | 0x80
}
//# sourceMappingURL=tar-writer.js.map
