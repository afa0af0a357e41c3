import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, isKind, messageOf, RuntimeError } from '#base/errors'
import { fileError, readFileIfExists } from '#base/files'
import type { CdiSpec, ContainerEdits } from './cdi-spec.ts'
import { parseCdiSpec } from './parse-cdi-spec.ts'
import { parseDocument } from './parse-document.ts'

const limits = { files: 1024, fileBytes: 4 * 1024 * 1024 } as const

/** The CDI devices of this node. */
export interface CdiDevices {
  /**
   * The edits of devices by their full names, those of their files first, in order. Looks at the directories each
   * time and reads the files that changed. Errors: `failed-precondition` names the device, and the files that cannot
   * be used or that both describe it.
   */
  edits(names: readonly string[]): Promise<readonly ContainerEdits[]>
}

interface LoadedFile {
  /** Another one when the file changed. */
  readonly stamp: string
  /** Or why it is none. */
  readonly spec: CdiSpec | RuntimeError
}

export function createCdiDevices(directories: readonly string[]): CdiDevices {
  const loaded = new Map<string, LoadedFile>()

  async function load(path: string): Promise<LoadedFile['spec'] | undefined> {
    const stamp = await stampOf(path)
    if (stamp === undefined) return undefined
    const known = loaded.get(path)
    if (known?.stamp === stamp) return known.spec
    const spec = await readSpec(path)
    loaded.set(path, { stamp, spec })
    return spec
  }

  async function loadAll(): Promise<readonly (readonly LoadedFile['spec'][])[]> {
    const paths = await Promise.all(directories.map(listSpecs))
    const present = new Set(paths.flat())
    for (const path of loaded.keys()) if (!present.has(path)) loaded.delete(path)
    return Promise.all(
      paths.map(async files => {
        const specs = await Promise.all(files.map(load))
        return specs.filter(spec => spec !== undefined)
      }),
    )
  }

  return {
    async edits(names) {
      if (names.length === 0) return []
      const levels = (await loadAll()).toReversed()
      const used = new Set<CdiSpec>()
      return names.flatMap(name => {
        const [spec, device] = find(name, levels)
        const common = used.has(spec) ? [] : [spec.edits]
        used.add(spec)
        return [...common, device]
      })
    },
  }
}

/** The directory of highest rank first. */
function find(
  name: string,
  levels: readonly (readonly LoadedFile['spec'][])[],
): readonly [CdiSpec, ContainerEdits] {
  const [kind = '', device = ''] = name.split('=')
  for (const level of levels) {
    const holders = level.filter(
      (spec): spec is CdiSpec =>
        !(spec instanceof RuntimeError) && spec.kind === kind && spec.devices.has(device),
    )
    const [spec, other] = holders
    if (spec && other) {
      throw new RuntimeError(
        'failed-precondition',
        `CDI device "${name}" is described twice: in ${spec.path} and in ${other.path}`,
      )
    }
    const edits = spec?.devices.get(device)
    if (spec && edits) return [spec, edits]
  }
  const broken = levels.flat().filter(spec => spec instanceof RuntimeError)
  const why = broken.map(({ message }) => message).join('; ')
  throw new RuntimeError(
    'failed-precondition',
    `CDI device "${name}" is not on this node${why === '' ? '' : ` (${why})`}`,
  )
}

async function listSpecs(directory: string): Promise<readonly string[]> {
  try {
    const names = (await readdir(directory)).filter(name => /\.(json|yaml)$/.test(name)).sort()
    if (names.length > limits.files) {
      throw new RuntimeError('failed-precondition', `${directory} holds more than ${limits.files} CDI specs`)
    }
    return names.map(name => join(directory, name))
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return []
    throw fileError(`cannot read ${directory}`, err)
  }
}

async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { mtimeMs, ctimeMs, size, ino } = await stat(path)
    return `${mtimeMs}/${ctimeMs}/${size}/${ino}`
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return undefined
    throw fileError(`cannot look at ${path}`, err)
  }
}

/** A file that cannot be used harms those only that need its devices. */
async function readSpec(path: string): Promise<LoadedFile['spec']> {
  try {
    const data = await readFileIfExists(path, limits.fileBytes)
    return parseCdiSpec(path, parseDocument(path, data?.toString() ?? ''))
  } catch (err) {
    if (isKind(err, 'failed-precondition') || isKind(err, 'unimplemented')) return err
    return new RuntimeError('failed-precondition', messageOf(err), { cause: err })
  }
}
