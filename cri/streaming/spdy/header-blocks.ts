import { createInflate, constants as zlib } from 'node:zlib'
import { messageOf, RuntimeError } from '#base/errors'
import { headerDictionary, headerDictionaryId } from './dictionary.ts'
import { protocolError } from './frames.ts'
import { spdyLimits } from './limits.ts'

export type Headers = ReadonlyMap<string, string>

export interface HeaderDecoder {
  /** One block after the other. Names in lower case, first value of each. Errors: `invalid-argument`; then it is over. */
  decode(block: Buffer): Promise<Headers>
  close(): void
}

/** All blocks of a connection are one zlib stream. The caller closes the decoder. */
export function createHeaderDecoder(): HeaderDecoder {
  const inflate = createInflate({ dictionary: headerDictionary, flush: zlib.Z_SYNC_FLUSH, chunkSize: 4096 })
  let pieces: Buffer[] = []
  let size = 0
  let failure: RuntimeError | undefined
  let fail: (err: RuntimeError) => void = () => undefined
  const onError = (err: RuntimeError) => {
    failure ??= err
    fail(failure)
    inflate.destroy()
  }
  inflate.on('error', err => {
    onError(protocolError(`a header block cannot be inflated: ${messageOf(err)}`))
  })
  inflate.on('close', () => {
    onError(new RuntimeError('cancelled', 'the connection is closed'))
  })
  inflate.on('end', () => {
    onError(protocolError('the header blocks end'))
  })
  inflate.on('data', (piece: Buffer) => {
    size += piece.length
    pieces.push(piece)
    if (size > spdyLimits.headerBlockBytes) {
      onError(protocolError(`a header block of more than ${spdyLimits.headerBlockBytes} bytes`))
    }
  })
  return {
    async decode(block) {
      if (failure) throw failure
      pieces = []
      size = 0
      await new Promise<void>((resolve, reject) => {
        fail = reject
        inflate.write(block, () => {
          if (failure) reject(failure)
          else resolve()
        })
      })
      return parseBlock(Buffer.concat(pieces))
    },
    close: () => {
      inflate.destroy()
    },
  }
}

function parseBlock(block: Buffer): Headers {
  let at = 0
  const number = (): number => {
    if (block.length < at + 4) throw protocolError('a header block is too short')
    at += 4
    return block.readUInt32BE(at - 4)
  }
  const text = (): string => {
    const length = number()
    if (block.length < at + length) throw protocolError('a header block is too short')
    at += length
    return block.toString('utf8', at - length, at)
  }
  const count = number()
  if (count > spdyLimits.headers) throw protocolError(`${count} headers, more than ${spdyLimits.headers}`)
  const headers = new Map<string, string>()
  for (let index = 0; index < count; index++) {
    const name = text().toLowerCase()
    if (name === '' || headers.has(name)) throw protocolError(`header "${name}" is empty or twice there`)
    headers.set(name, text().split('\0', 1)[0] ?? '')
  }
  if (at !== block.length) throw protocolError('a header block is longer than its headers')
  return headers
}

/** The header block of an answer: no headers. `isFirst`: of the connection, whose zlib stream begins with it. */
export function emptyHeaderBlock(isFirst: boolean): Buffer {
  // Stored blocks (RFC 1951, 3.2.4) need no compressor: four bytes of data, then the empty one that says "flushed".
  const stored = Buffer.from('000400fbff00000000000000ffff', 'hex')
  if (!isFirst) return stored
  const zlibHeader = Buffer.from('78f900000000', 'hex')
  zlibHeader.writeUInt32BE(headerDictionaryId, 2)
  return Buffer.concat([zlibHeader, stored])
}
