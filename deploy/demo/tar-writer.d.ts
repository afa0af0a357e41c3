/** What one entry of a layer is. Paths are written as they are given: also `..`, absolute and doubled ones. */
export type LayerEntry =
  | (Attributes & {
      readonly type: 'file'
      readonly path: string
      readonly content: string | Uint8Array
    })
  | (Attributes & {
      readonly type: 'directory' | 'fifo'
      readonly path: string
    })
  | (Attributes & {
      readonly type: 'symlink' | 'hardlink'
      readonly path: string
      readonly target: string
    })
  | (Attributes & {
      readonly type: 'character-device' | 'block-device'
      readonly path: string
      readonly major: number
      readonly minor: number
    })
  /** Hides `path` of the layers below (image spec, layer.md). */
  | {
      readonly type: 'whiteout'
      readonly path: string
    }
  /** Hides all that the layers below have in the directory `path`. */
  | {
      readonly type: 'opaque'
      readonly path: string
    }
  /** Bytes put into the archive as they are. */
  | {
      readonly type: 'raw'
      readonly bytes: Uint8Array
    }
export interface Attributes {
  /** Default: 0755 for directories, 0644 otherwise. */
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** May have a fraction. Default: layerTime. */
  readonly mtimeSeconds?: number
  readonly xattrs?: Readonly<Record<string, string | Uint8Array>>
}
/** Seconds since the epoch that entries get when they say nothing: images built twice are the same. */
export declare const layerTime = 1700000000
/** A tar archive (ustar, with pax headers where ustar is too small) with its end marker. */
export declare function writeTar(entries: readonly LayerEntry[]): Buffer
/** Fields of one header block; numbers that do not fit into octal digits are written in base 256. */
export interface TarHeader {
  readonly name: string
  /** One character, such as 0 for a file. */
  readonly typeFlag: string
  readonly size?: number
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtimeSeconds?: number
  readonly link?: string
  readonly major?: number
  readonly minor?: number
  /** Default: ustar. */
  readonly magic?: 'ustar' | 'gnu'
}
/** One header block with a right checksum; `patch` may spoil it before that. */
export declare function tarHeader(header: TarHeader, patch?: (block: Buffer) => void): Buffer
/** Content filled up to whole blocks. */
export declare function tarContent(content: string | Uint8Array): Buffer
/** A pax header (type `x`, or `g` for all that follow) with these records, in order. */
export declare function paxHeader(
  records: readonly (readonly [string, string | Uint8Array])[],
  typeFlag?: string,
): Buffer
