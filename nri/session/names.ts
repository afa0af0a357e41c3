import { RuntimeError } from '#base/errors'

/** Longest name of a plugin; it is part of messages and of file names. */
const nameLength = 200

export interface PluginName {
  /** Two digits: plugins are asked in this order. */
  readonly index: string
  readonly base: string
}

/** Errors: `invalid-argument` if it cannot be the name of a plugin. */
export function checkPluginName({ index, base }: PluginName): void {
  if (!/^[0-9]{2}$/.test(index)) {
    throw new RuntimeError(
      'invalid-argument',
      `plugin index "${index.slice(0, nameLength)}" is not two digits`,
    )
  }
  if (!/^[A-Za-z0-9_.+-]+$/.test(base) || base.length > nameLength) {
    throw new RuntimeError(
      'invalid-argument',
      `plugin name "${base.slice(0, nameLength)}" is not one of letters, digits, "_", ".", "+" and "-"`,
    )
  }
}

/** `10-name` of a file; undefined if that is not how plugins are called. */
export function parsePluginFile(file: string): PluginName | undefined {
  const [, index, base] = /^([0-9]{2})-([A-Za-z0-9_.+-]+)$/.exec(file) ?? []
  return index === undefined || base === undefined ? undefined : { index, base }
}

export function fullName({ index, base }: PluginName): string {
  return `${index}-${base}`
}
